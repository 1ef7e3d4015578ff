"""Push messages: what a device shows, and where a click leads, to all devices of a contact."""

from collections.abc import Callable, Mapping
from typing import Any

from macli.content import Rendered, TemplateFault
from macli.content.push import payload_of
from macli.content.tracking import tagged
from macli.model import Push
from macli.signing import Keyring, keyring
from macli.store import Row, devices
from macli.tick.engine import Engine


class PushComposer:
    """Makes the push messages of one step.

    ``followed``: clicks come to macli first, where it can be reached; ``utm`` gives the tags that links
    to a site get, as a query string.
    """

    def __init__(self, engine: Engine, name: str, *, followed: bool, utm: Callable[[str], str]) -> None:
        self._store = engine.store
        self._name = name
        self._keys: Keyring | None = None
        base = engine.setting("tracking.domain") or engine.setting("public_url")
        if base and followed and engine.setting("tracking.clicks"):
            self._base = base
            self._keys = keyring(engine.workspace)
            self._query = utm(base) if engine.setting("tracking.utm") else ""

    def compose(self, row: Row | Mapping[str, Any], key: str, rendered: Rendered) -> Push:
        """The message for a claimed row. Raises TemplateFault where its values make no push message."""
        payload = payload_of(rendered, where=self._name)
        if "url" in payload and self._keys is not None and not row["untracked"]:
            follow = self._keys.message(row["send_id"]).follow
            signed = self._keys.personal(follow, tagged(payload["url"], self._query))
            payload["url"] = f"{self._base}/r/{follow}/{signed}"
        found = devices.of_contact(self._store, row["id"])
        if not found:
            raise TemplateFault("no device of the contact takes push messages any more", where=self._name)
        return Push(send_id=row["send_id"], key=key, to=row["address"], payload={**payload, "tag": key}, devices=found)
