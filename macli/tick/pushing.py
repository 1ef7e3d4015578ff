"""Push messages: what a device shows, and where a click leads, to all devices of a contact."""

from collections.abc import Mapping
from typing import Any

from macli.content import Rendered, TemplateFault
from macli.content.push import payload_of
from macli.model import Push
from macli.signing import keyring
from macli.store import Row, devices
from macli.tick.engine import Engine


class PushComposer:
    """Makes the push messages of one step. ``tracked``: clicks come to macli first, where it can be reached."""

    def __init__(self, engine: Engine, name: str, *, tracked: bool) -> None:
        self._store = engine.store
        self._name = name
        base = engine.setting("tracking.domain") or engine.setting("public_url")
        self._base = base.rstrip("/") if base and tracked and engine.setting("tracking.clicks") else None
        self._keys = keyring(engine.workspace) if self._base else None

    def compose(self, row: Row | Mapping[str, Any], key: str, rendered: Rendered) -> Push:
        """The message for a claimed row. Raises TemplateFault where its values make no push message."""
        payload = payload_of(rendered, where=self._name)
        if "url" in payload:
            payload["url"] = self._followed(row["send_id"], payload["url"])
        found = devices.of_contact(self._store, row["id"])
        if not found:
            raise TemplateFault("no device of the contact takes push messages any more", where=self._name)
        return Push(send_id=row["send_id"], key=key, to=row["address"], payload={**payload, "tag": key}, devices=found)

    def _followed(self, send_id: int, url: str) -> str:
        if self._keys is None:
            return url
        follow = self._keys.message(send_id).follow
        return f"{self._base}/r/{follow}/{self._keys.personal(follow, url)}"
