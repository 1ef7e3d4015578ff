"""Banners and downloads made of what a person names: files, addresses, campaigns."""

from datetime import datetime
from pathlib import Path
from typing import Any

from macli.content.authoring import LARGEST_FILE, read_octets
from macli.errors import UsageError
from macli.forms.definition import is_web_address
from macli.store import Store, assets, banners, campaigns, categories, downloads

IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".avif")


def add_download(store: Store, now: datetime, file: Path, slug: str | None) -> str:
    """Offer a file; its slug. Raises UsageError."""
    octets = read_octets(str(file))
    if not octets or len(octets) > LARGEST_FILE:
        raise UsageError(
            f"{file} is empty" if not octets else f"{file} has {len(octets) // 2**20} MB; at most 25 are kept here"
        )
    if not file.name.isprintable():
        raise UsageError(f"{file.name!r} holds characters that cannot be shown")
    return downloads.add(store, now, file.name, octets, slug=slug)


def add_banner(
    store: Store,
    now: datetime,
    name: str,
    *,
    url: str,
    text: str | None,
    image: Path | None,
    campaign: str | None,
    category: str | None,
) -> str:
    """Make a banner; its slug. Raises UsageError, UnknownName."""
    if text is None and image is None:
        raise UsageError("a banner shows something", hint="give --text 'Spring sale', --image FILE, or both")
    with store.write():
        return banners.add(
            store,
            now,
            name,
            url=_address(url),
            text=text if text is not None else name,
            asset_id=None if image is None else _image(store, now, image),
            campaign_id=None if campaign is None else int(campaigns.get(store, campaign)["id"]),
            category=category,
        )


def edit_banner(
    store: Store,
    now: datetime,
    name: str,
    *,
    url: str | None,
    text: str | None,
    image: Path | None,
    campaign: str | None,
    category: str | None,
) -> None:
    """Change what is given of a banner. Raises UsageError, UnknownName."""
    with store.write():
        changes: dict[str, Any] = {}
        if url is not None:
            changes["url"] = _address(url)
        if text is not None:
            changes["text"] = text
        if image is not None:
            changes["asset_id"] = _image(store, now, image)
        if campaign is not None:
            changes["campaign_id"] = int(campaigns.get(store, campaign)["id"])
        if category is not None:
            changes["category_id"] = categories.id_of(store, category)
        if not changes:
            raise UsageError("nothing to change", hint="give --url, --text, --image, --campaign or --category")
        banners.edit(store, now, name, changes)


def _address(url: str) -> str:
    if not is_web_address(url):
        raise UsageError(f"{url!r} is no web address", hint="write for example https://shop.example/spring")
    return url


def _image(store: Store, now: datetime, file: Path) -> int:
    if file.suffix.lower() not in IMAGES:
        raise UsageError(f"{file} is no image", hint=f"one of {', '.join(IMAGES)}")
    octets = read_octets(str(file))
    if not octets or len(octets) > LARGEST_FILE:
        raise UsageError(f"{file} is empty, or has more than 25 MB")
    return assets.add(store, now, file.name, octets)
