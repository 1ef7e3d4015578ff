"""What every phase of a tick is handed: the store, the settings, the zone and the moving now."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from macli.store import Store


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One run of the engine at ``now``; ``workspace`` is where providers' relative paths begin."""

    store: Store
    setting: Callable[[str], Any]
    now: datetime
    zone: ZoneInfo
    workspace: Path
    started: float = field(default_factory=time.monotonic)

    def moment(self) -> datetime:
        """``now`` moved on by the time this run has taken: what long work goes by.

        It follows the monotonic clock, so a change of the machine's clock does not reach a run.
        """
        return self.now + timedelta(seconds=time.monotonic() - self.started)
