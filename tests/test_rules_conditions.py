"""Each condition a marketer asks for: one contact that meets it, one that does not, and its opposite."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rule_world import VOCABULARY, furnish, keep, mailed, opened, someone

from macli import rules
from macli.clock import to_ms
from macli.store import open_store

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def ago(days: float) -> int:
    return to_ms(NOW - timedelta(days=days))


def event(name: str, days: float = 1, campaign: int | None = None, **properties: Any) -> dict[str, Any]:
    return {"name": name, "at": ago(days), "campaign_id": campaign, "properties": properties}


def events(*found: dict[str, Any]) -> dict[str, Any]:
    return {"events": list(found)}


def known(**attributes: Any) -> dict[str, Any]:
    return {"attributes": attributes}


def said(**statuses: str) -> dict[str, Any]:
    return {"consents": {(channel, ""): status for channel, status in statuses.items()}}


def sends(*found: dict[str, Any]) -> dict[str, Any]:
    return {"sends": list(found)}


PRICING = "https://example.com/Pricing/eu"
NOTHING: dict[str, Any] = {}
CONDITIONS = [
    # C02: opened an e-mail, a particular one or any, during the last …
    ("opened email", events(event("email.opened", 900)), NOTHING),
    ("opened email within 30 days", events(event("email.opened", 29)), events(event("email.opened", 31))),
    ("opened campaign spring", events(event("email.opened", campaign=1)), events(event("email.opened", campaign=2))),
    # C03: clicked on a link
    ("replied", events(event("email.replied")), events(event("email.opened"))),
    (
        "replied to campaign spring",
        events(event("email.replied", campaign=1)),
        events(event("email.replied", campaign=2)),
    ),
    ("never replied within 7 days", events(event("email.replied", 8)), events(event("email.replied", 6))),
    ("clicked", events(event("email.clicked")), events(event("email.opened"))),
    ("clicked link containing /pricing", events(event("email.clicked", url=PRICING)), events(event("email.clicked"))),
    (
        f'clicked campaign spring link "{PRICING}" within 2 days',
        events(event("email.clicked", 1, 1, url=PRICING)),
        events(event("email.clicked", 3, 1, url=PRICING), event("email.clicked", 1, 2, url=PRICING)),
    ),
    # C04: tagged; of several all, unless any is said; a tag of years ago counts (W12)
    ("tagged old", {"tags": {"OLD"}}, {"tags": {"NEW_ONE"}}),
    ('tagged (old, "new!one")', {"tags": {"OLD", "NEW_ONE"}}, {"tags": {"OLD"}}),
    ('tagged any of (old, "new!one")', {"tags": {"OLD"}}, {"tags": {"ZOLTY"}}),
    # C05: has a detail
    ("plan is set", known(plan="gold"), NOTHING),
    ("plan = GOLD", known(plan="Gold"), known(plan="golden")),
    ("plan contains old", known(plan="Gold"), known(plan="silver")),
    ("grade > 9", known(grade=10), known(grade=9)),
    ("grade < 10", known(grade=9), known(grade="1")),
    ("expires before 2026-03-04", known(expires="2026-03-03"), known(expires="2026-03-04")),
    ("vip = true", known(vip=True), known(vip=False)),
    # C06: an external event, its fields, period and count
    (
        "event order.paid with total > 100",
        events(event("order.paid", total=101)),
        events(event("order.paid", total=99)),
    ),
    (
        'event order.paid with total > 100 and currency = "eur" at least 2 times within 14 days',
        events(*(event("order.paid", days, total=150, currency="EUR") for days in (1, 13))),
        events(*(event("order.paid", days, total=150, currency="EUR") for days in (1, 15))),
    ),
    ("no event order.paid within 90 days", events(event("order.paid", 91)), events(event("order.paid", 89))),
    # C10: opted out; who never said anything is not
    ("opted out of email", said(email="withdrawn"), NOTHING),
    ("opted out of email", said(email="withdrawn"), said(email="granted")),
    ("opted out of sms", said(sms="withdrawn"), said(email="withdrawn")),
    ("opted in to email", said(email="granted"), said(email="pending")),
    # C17: received a number of e-mails
    (
        "received at least 2 emails within 7 days",
        sends(*(mailed("delivered", ago(days)) for days in (1, 6))),
        sends(
            mailed("delivered", ago(1)), mailed("failed", ago(2)), mailed("skipped", None), mailed("bounced", ago(3))
        ),
    ),
    ("received exactly 1 email", sends(mailed()), sends(mailed(), mailed())),
    ("received less than 2 emails", NOTHING, sends(mailed(), mailed())),
    # C20: has a phone number; an empty one is none
    ("has phone", {"phone": "+14165550123"}, {"phone": ""}),
    ("has email", {"email": "ann@example.com"}, NOTHING),
    ("in campaign spring", {"enrollments": [(1, False)]}, {"enrollments": [(1, True), (2, False)]}),
    ("finished campaign spring", {"enrollments": [(1, True)]}, {"enrollments": [(1, False)]}),
    ("in segment listed", {"segments": {3}}, NOTHING),
    ("in segment VIP", known(plan="gold"), known(plan="lead")),
    ("birthday is today", known(birthday="1990-03-04"), known(birthday="1990-03-05")),
    ("birthday is in 7 days", known(birthday="1990-03-11"), known(birthday="1990-03-04")),
    ("added more than 3 days ago", {"added_at": ago(4)}, {"added_at": ago(2)}),
    ("opened email and not tagged old", events(opened(0)), {**events(opened(0)), "tags": {"OLD"}}),
]


@pytest.mark.parametrize(("rule", "meets", "misses"), CONDITIONS)
def test_a_condition_and_its_opposite(tmp_path: Path, rule: str, meets: dict[str, Any], misses: dict[str, Any]) -> None:
    with open_store(tmp_path / "macli.db", create=True) as store:
        furnish(store)
        with store.write():
            keep(store, [someone(1, **meets), someone(2, **misses)], set())
        for asked, expected in ((rule, [1]), (f"not ({rule})", [2])):
            where = rules.compile(asked, VOCABULARY, now=NOW, zone=ZoneInfo("UTC"))
            rows = store.rows(f"SELECT id FROM contacts WHERE {where.sql} ORDER BY id", where.params)
            assert [row["id"] for row in rows] == expected, asked
