"""The settings: their keys, what each means, how its text is read, and what holds where nobody set it."""

from collections.abc import Mapping

from macli.config.keys import SETTINGS
from macli.config.readers import Cap, QuietHours
from macli.config.setting import Setting
from macli.errors import UnknownName

__all__ = ["REGISTRY", "SETTINGS", "Cap", "QuietHours", "Setting", "setting"]

REGISTRY: Mapping[str, Setting] = {known.key: known for known in SETTINGS}


def setting(key: str) -> Setting:
    """The setting of that key. Raises UnknownName with the nearest one."""
    found = REGISTRY.get(key)
    if found is None:
        raise UnknownName("setting", key, REGISTRY, hint="macli settings list shows them all")
    return found
