"""A contact with points, stages, an owner and everybody's work about it: a row in every table that knows contacts."""

from macli.clock import to_ms
from macli.lifecycle import rfm
from macli.people import calls, deals, noting, tasks
from macli.people.owning import set_owner_where
from macli.store import Store, funnels, staff
from tests.world import NOW

ONE = "SELECT :one_contact AS id"


def add_staff(store: Store, *names: str) -> None:
    for name in names:
        if staff.find(store, name) is None:
            staff.add(store, NOW, name)


def add_work(store: Store, contact_id: int, who: str, email: str) -> None:
    """Rows about one contact, all words of them with ``who`` in it; a letter from ``email`` among them."""
    add_staff(store, "anna")
    anna = staff.get(store, "anna")["id"]
    set_owner_where(store, NOW, ONE, {"one_contact": contact_id}, anna, "main", "cli")
    if not store.value("SELECT count(*) FROM funnels"):
        funnels.create(store, to_ms(NOW), "Sales", ["Lead", "Offer"])
    noting.add(store, NOW, contact_id, f"{who} wants an offer", "cli", author_id=anna)
    noting.add(store, NOW, contact_id, f"{who.upper()} is a friend of mine", "cli", private=True, author_id=anna)
    won = deals.add(store, NOW, f"Seats for {who}", "cli", contact_id=contact_id, funnel="Sales", value=1200.5)
    deals.close(store, NOW, won, "won", "cli")
    still = deals.add(store, NOW, f"More seats for {who}", f"letter of {who}", contact_id=contact_id, value=99)
    tasks.add(store, NOW, f"Call {who}", "cli", contact_id=contact_id, assignee_id=anna, description=f"{who}: {email}")
    tasks.add(store, NOW, f"Visit {who}", "cli", deal_id=still)
    calls.log(store, NOW, contact_id, "cli", outcome=f"{who} agreed", text=f"{who} asks for more", staff_id=anna)
    if not store.value("SELECT count(*) FROM rfm_reports"):
        bands = {"recency": "short 30 days, medium 90 days", "frequency": "common 10, regular 3"}
        rfm.create(store, NOW, "shop", **bands, monetary="spender 500, medium 100", event="shop.bought")
    with store.write():
        for sql in _ROWS:
            store.execute(sql, {"contact": contact_id, "who": who, "email": email, "now": to_ms(NOW)})


_ROWS = (
    """
    INSERT INTO mails (contact_id, mailbox, message_key, sender, recipient, subject, body, at, created_at)
    VALUES (:contact, 'office', 'first ' || :contact, :email, 'us@shop.example', 'From ' || :who, :who, :now, :now)
    """,
    """
    INSERT INTO mails (mailbox, message_key, sender, subject, body, at, created_at)
    VALUES ('office', 'second ' || :contact, :email, 'Before you knew me', 'Yours, ' || :who, :now, :now)
    """,
    """
    INSERT INTO point_ledger (contact_id, scope_id, rule, event, points, at)
    VALUES (:contact, 1, 0, 999999, 70, :now)
    """,
    """
    INSERT INTO scores (contact_id, scope_id, points, changed_at)
    VALUES (:contact, 1, 70, :now)
    ON CONFLICT (contact_id, scope_id) DO UPDATE SET points = scores.points + 70
    """,
    """
    INSERT INTO stage_stays (contact_id, stage_id, entered_at, left_at, cause)
    SELECT :contact, min(id), :now, :now, 'by hand, for ' || :who FROM stages
    """,
    """
    INSERT INTO funnel_stays (contact_id, funnel_id, stage_id, entered_at, source)
    SELECT :contact, funnel_id, id, :now, 'by hand, for ' || :who FROM funnel_stages WHERE name = 'Lead'
    """,
    """
    INSERT INTO rfm_bands (report_id, contact_id, last_at, purchases, value, recency, frequency, monetary)
    SELECT id, :contact, :now, 3, 300, 'short', 'common', 'spender' FROM rfm_reports
    """,
    "INSERT INTO rfm_looked_at (report_id, contact_id) SELECT id, :contact FROM rfm_reports",
    "INSERT INTO prediction_models (name, source, fitted_at) VALUES ('BG/NBD', 'fit', :now)",
    """
    INSERT INTO predictions (contact_id, kind, probability, model_id, predicted_at)
    SELECT :contact, 'churn', 0.2, max(id), :now FROM prediction_models
    """,
)
