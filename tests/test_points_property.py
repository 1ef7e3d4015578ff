"""Whatever is told, how often, in what order and by how many at once: a score is the sum of its ledger."""

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from macli import events
from macli.clock import to_ms
from macli.model import NewEvent
from macli.scoring import checking
from macli.store import point_rules
from macli.store.point_rules import PointRule
from macli.store.scopes import Scope
from tests.world import NOW, World, add_contacts, new_world

GLOBAL, VIP = Scope(kind="global", name="global"), Scope(kind="tag", name="VIP")
HOUR = 3_600_000
DAY = 24 * HOUR

RULES: tuple[dict[str, Any], ...] = (
    {"event": "email.clicked", "points": 10, "scopes": (GLOBAL, VIP)},
    {"event": "email.clicked", "points": -3, "scopes": (GLOBAL,), "condition": 'url contains "a"'},
    {"event": "email.opened", "points": 5, "scopes": (GLOBAL,), "most": 2, "most_span": DAY},
    {"event": "email.opened", "points": 1, "scopes": (VIP,), "most": 3},
    {"event": "page.visited", "points": 2, "scopes": (GLOBAL,), "condition": "seconds > 5"},
)

TOLD = st.builds(
    lambda contact, name, hours, key: NewEvent(
        contact_id=contact,
        name=name,
        at=to_ms(NOW) + hours * HOUR,
        source="test",
        source_id=f"{contact} {name} {hours} {key}",
        # What one provider says of one thing it says the same way again.
        properties={"url": "abc"[(hours + key) % 3], "seconds": (hours * 7 + key) % 10},
    ),
    st.integers(1, 3),
    st.sampled_from(("email.clicked", "email.opened", "page.visited")),
    st.integers(0, 60),
    st.integers(0, 3),
)


def fresh(folder: Path) -> World:
    world = new_world(folder)
    for rule in point_rules.listed(world.store):
        point_rules.remove(world.store, rule.id)
    add_contacts(world.store, 3)
    for number, rule in enumerate(RULES):
        point_rules.add(world.store, to_ms(NOW), PointRule(name=f"rule {number}", **rule))
    return world


def scores(world: World) -> dict[tuple[int, int], int]:
    assert checking.check(world.store).wrong == 0
    rows = world.store.rows("SELECT contact_id, scope_id, points FROM scores WHERE points <> 0")
    return {(row["contact_id"], row["scope_id"]): row["points"] for row in rows}


def counted(told: Sequence[NewEvent]) -> dict[tuple[int, int], int]:
    """The scores by the rules above, said once more, one event at a time."""
    once = {one.source_id: one for one in told}.values()
    sums: Counter[tuple[int, int]] = Counter()
    opens: Counter[tuple[int | None, int]] = Counter()
    for one in once:
        assert one.contact_id is not None
        if one.name == "email.clicked":
            sums[one.contact_id, 1] += 10 - 3 * (one.properties["url"] == "a")
            sums[one.contact_id, 2] += 10
        elif one.name == "email.opened":
            opens[one.contact_id, one.at // DAY] += 1
        elif one.properties["seconds"] > 5:
            sums[one.contact_id, 1] += 2
    for (contact, _), count in opens.items():
        sums[contact or 0, 1] += 5 * min(count, 2)
    for contact in (1, 2, 3):
        sums[contact, 2] += min(sum(count for (whose, _), count in opens.items() if whose == contact), 3)
    return {key: points for key, points in sums.items() if points}


def batches(told: Sequence[NewEvent], cuts: Sequence[int]) -> list[Sequence[NewEvent]]:
    edges = [0, *sorted(cut % (len(told) + 1) for cut in cuts), len(told)]
    return [told[start:end] for start, end in pairwise(edges)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(told=st.lists(TOLD, max_size=40), cuts=st.lists(st.integers(0, 1000), max_size=6), chance=st.randoms())
def test_p40_repeats_order_and_batches_do_not_change_a_score(
    told: list[NewEvent], cuts: list[int], chance: Any
) -> None:
    with TemporaryDirectory() as folder:
        world = fresh(Path(folder) / "w")
        for batch in batches(told, cuts):
            events.record(world.store, NOW, batch)
        again = [*told, *told]
        chance.shuffle(again)
        assert scores(world) == counted(told)
        other = fresh(Path(folder) / "o")
        for batch in batches(again, cuts):
            events.record(other.store, NOW, batch)
        assert scores(other) == counted(told)
        events.record(world.store, NOW + timedelta(days=1), again)
        assert scores(world) == counted(told)


WRITER = """
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.world import NOW
from macli import events
from macli.clock import to_ms
from macli.model import NewEvent
from macli.store import open_store
store, own = open_store(Path(sys.argv[2])), int(sys.argv[3])
for turn in range(40):
    shared = [
        NewEvent(contact_id=1 + turn % 3, name="email.clicked", at=to_ms(NOW) + turn, source="shared",
                 source_id=f"{turn}", properties={"url": "b"}),
        NewEvent(contact_id=1, name="email.opened", at=to_ms(NOW) + turn, source="shared", source_id=f"open {turn}"),
    ]
    alone = NewEvent(contact_id=2, name="page.visited", at=to_ms(NOW), source=f"own {own}", source_id=f"{turn}",
                     properties={"seconds": 9})
    events.record(store, NOW, [*shared, alone])
"""


def test_p40_several_processes_that_record_the_same_at_once_count_it_once(tmp_path: Path) -> None:
    world = fresh(tmp_path / "w")
    here = str(Path(__file__).parent)
    started = [
        subprocess.Popen([sys.executable, "-c", WRITER, here, str(world.path / "macli.db"), str(number)])
        for number in range(3)
    ]
    assert [one.wait(timeout=120) for one in started] == [0, 0, 0]
    clicks = Counter(1 + turn % 3 for turn in range(40))
    assert scores(world) == {
        (1, 1): 10 * clicks[1] + 10,
        (1, 2): 10 * clicks[1] + 3,
        (2, 1): 10 * clicks[2] + 2 * 40 * 3,
        (2, 2): 10 * clicks[2],
        (3, 1): 10 * clicks[3],
        (3, 2): 10 * clicks[3],
    }
