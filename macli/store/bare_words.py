"""Words that mean something of their own in rules, until an attribute is called so."""

from macli.store.connection import Store

BARE = frozenset(("score", "stage", "owner", "churn", "purchase"))
"""An attribute of such a name is meant instead wherever one could be: ``score >= 50``, ``owner is set``."""

# A definition is kept as JSON, in which the end of a line is written \n.
_GAP = r"(\s|\\[nrt]|#[^\n]*?(\n|\\n))"
_TESTED = rf"{_GAP}*([<>=]|!=|(not{_GAP}+)?in{_GAP}*\(|(between|reached|exceeded)\b|is{_GAP}+(not{_GAP}+)?set\b)"


def uses(store: Store, word: str) -> list[str]:
    """The rules that ask for the word in its own meaning, or may do so, in words."""
    sql = _USES.format(asked=store.dialect.fits("kept.text", ":tested"))
    params = {"tested": rf"\b{word}{_TESTED}"}
    shown = [row["place"] for row in store.rows(sql, params)]
    with store.whole():
        hidden = len(store.rows(sql, params)) - len(shown)
    return [*shown, *(["something hidden"] if hidden else [])]


_USES = """
SELECT DISTINCT kept.place
FROM (
  SELECT 'the segment ' || name AS place, rule AS text FROM segments
  UNION ALL
  SELECT 'the campaign ' || campaigns.name, campaign_versions.definition
  FROM campaigns
  JOIN campaign_versions ON campaign_versions.campaign_id = campaigns.id
  WHERE campaigns.state NOT IN ('finished', 'cancelled')
  UNION ALL
  SELECT 'the point rule ' || name, who FROM point_rules
  UNION ALL
  SELECT 'the rule of owners ' || name, rule FROM owner_rules
) AS kept
WHERE {asked}
ORDER BY kept.place
"""
