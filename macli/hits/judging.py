"""Judging a batch of hits: the temp table ``judged``, filled by a query, gets each hit's class and the rule."""

from collections.abc import Mapping
from typing import Any

from macli.hits.rules import Rule, Rules
from macli.store import Store

_TABLE = """
CREATE TEMP TABLE IF NOT EXISTS judged (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  at INTEGER NOT NULL,
  send INTEGER NOT NULL,
  link INTEGER,
  url TEXT,
  method TEXT NOT NULL,
  ip TEXT,
  agent INTEGER,
  was TEXT,
  class TEXT,
  rule TEXT
)
"""

_FILL = """
INSERT INTO judged (id, kind, at, send, link, url, method, ip, agent, was)
SELECT id, kind, at, send, link, url, method, ip, agent, class
FROM hits
"""

_MATCHING = "CREATE TEMP TABLE IF NOT EXISTS matching (what TEXT, value)"

# A link that belongs to another step was put beside this message's token by hand.
_MISPLACED = """
UPDATE judged
SET class = 'machine', rule = 'link of another message'
WHERE link IS NOT NULL
  AND EXISTS (
    SELECT 1
    FROM links
    JOIN sends ON sends.id = judged.send
    WHERE links.id = judged.link
      AND links.step_id <> sends.step_id
  )
"""

_SOON = """
  AND EXISTS (
    SELECT 1
    FROM sends
    WHERE sends.id = judged.send
      AND judged.at - sends.left_at < :within
  )
"""

_LINKS = """
  AND (
    SELECT count(DISTINCT coalesce(CAST(near.link AS TEXT), near.url))
    FROM hits AS near
    WHERE near.send = judged.send
      AND near.kind = 'click'
      AND near.at BETWEEN judged.at - :around AND judged.at + :around
  ) >= {least}
"""

_OF_MESSAGE = """(
    SELECT count(*)
    FROM sends
    JOIN links ON links.step_id = sends.step_id
    WHERE sends.id = judged.send
  )"""

_HUMAN = """
UPDATE judged
SET class = 'human'
WHERE class IS NULL
"""


def judge(store: Store, rules: Rules, which: str, params: Mapping[str, Any]) -> int:
    """Judge the hits ``which`` (what stands behind FROM hits) selects; how many.

    Only temp tables are written, so no sender waits for it.
    """
    store.execute(_TABLE)
    store.execute(_MATCHING)
    store.execute("DELETE FROM judged")
    found = store.execute(f"{_FILL} {which}", params)
    if found:
        store.execute(_MISPLACED)
        for rule in rules.rules:
            _apply(store, rule)
        store.execute(_HUMAN)
    return found


def _apply(store: Store, rule: Rule) -> None:
    kinds = ", ".join(f"'{kind}'" for kind in rule.kinds if kind in ("open", "click"))
    conditions = [f"class IS NULL AND kind IN ({kinds})"]
    params: dict[str, Any] = {"class": rule.of_class, "rule": rule.name}
    store.execute("DELETE FROM matching")
    for what, column, asked, found in (
        ("method", "method", rule.methods, lambda: list(rule.methods)),
        ("agent", "coalesce(agent, 0)", rule.agents, lambda: _agents(store, rule)),
        ("ip", "ip", rule.networks, lambda: _addresses(store, rule)),
    ):
        if asked:
            store.executemany("INSERT INTO matching (what, value) VALUES (?, ?)", [(what, one) for one in found()])
            conditions.append(f" AND {column} IN (SELECT value FROM matching WHERE what = '{what}')")
    if rule.within is not None:
        conditions.append(_SOON)
        params["within"] = rule.within
    if rule.links is not None or rule.all_links is not None:
        conditions.append(_LINKS.format(least=":links"))
        params |= {"links": rule.links or rule.all_links, "around": rule.around}
    if rule.all_links is not None:
        conditions.append(_LINKS.format(least=_OF_MESSAGE))
    store.execute(f"UPDATE judged SET class = :class, rule = :rule WHERE {''.join(conditions)}", params)


def _agents(store: Store, rule: Rule) -> list[int]:
    """The programs of the batch a rule names: each different one is looked at once, not each hit."""
    rows = store.rows(
        """
        SELECT coalesce(judged.agent, 0) AS number, coalesce(agents.agent, '') AS agent
        FROM judged
        LEFT JOIN agents ON agents.id = judged.agent
        WHERE judged.class IS NULL
        GROUP BY coalesce(judged.agent, 0), coalesce(agents.agent, '')
        """
    )
    return [row["number"] for row in rows if rule.names_agent(row["agent"])]


def _addresses(store: Store, rule: Rule) -> list[str]:
    rows = store.rows("SELECT DISTINCT ip FROM judged WHERE class IS NULL AND ip IS NOT NULL")
    return [row["ip"] for row in rows if rule.holds_address(row["ip"])]
