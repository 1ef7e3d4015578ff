"""Which campaigns still need a template."""

from macli.campaign.export import templates_of
from macli.campaign.loading import load
from macli.store import Store

_LIVING = """
SELECT campaigns.id, campaigns.name, campaign_versions.number
FROM campaigns
JOIN campaign_versions ON campaign_versions.campaign_id = campaigns.id
WHERE campaigns.state NOT IN ('finished', 'cancelled')
  AND (
    campaign_versions.number = campaigns.current_version
    OR EXISTS (
      SELECT 1
      FROM enrollments
      WHERE enrollments.campaign_id = campaigns.id
        AND enrollments.version = campaign_versions.number
        AND enrollments.ended_at IS NULL
    )
  )
ORDER BY campaigns.name_key
"""


def using_template(store: Store, name: str) -> list[str]:
    """The campaigns that are not over and send the template, in a version that contacts are in or come into."""
    key = name.casefold()
    with store.whole():
        found = [
            row["name"]
            for row in store.rows(_LIVING)
            if key in (used.casefold() for used in templates_of(load(store, row["id"], row["number"]).campaign))
        ]
    return store.told("campaigns", list(dict.fromkeys(found)))
