"""Links: where each link of a step leads. A row is for good, whatever becomes of its campaign."""

from collections.abc import Iterable

from macli.store.connection import Store


def numbers(store: Store, urls: Iterable[str], *, campaign_id: int, step_id: int, now_ms: int) -> dict[str, int]:
    """The number of each address among the links of a step; one that has none gets one."""
    urls = list(urls)
    known = _known(store, step_id)
    new = [url for url in urls if url not in known]
    if new:
        with store.write():
            store.executemany(
                _ADD, ({"campaign": campaign_id, "step": step_id, "url": url, "now": now_ms} for url in new)
            )
        known = _known(store, step_id)
    return {url: known[url] for url in urls}


_ADD = """
INSERT INTO links (campaign_id, step_id, url, created_at)
VALUES (:campaign, :step, :url, :now)
ON CONFLICT (step_id, url) DO NOTHING
"""


def _known(store: Store, step_id: int) -> dict[str, int]:
    rows = store.rows("SELECT id, url FROM links WHERE step_id = :step", {"step": step_id})
    return {row["url"]: row["id"] for row in rows}
