"""Whose pages may speak to the site from a browser: those of tracker.domains, and the site's own."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from macli.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request


def trusted(site: Site, request: "Request") -> str | None:
    """The request's Origin where it is one of ours; None where it is not, or there is none."""
    origin = request.headers.get("origin", "")
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}":
        return None
    own = {_origin_of(site.setting(key)) for key in ("public_url", "tracking.domain") if site.setting(key)}
    if origin in own or _among(parts.netloc.lower(), site.setting("tracker.domains") or ()):
        return origin
    return None


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _among(host: str, patterns: tuple[str, ...]) -> bool:
    return any(host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern for pattern in patterns)
