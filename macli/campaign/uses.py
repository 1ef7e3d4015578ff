"""Which campaigns still need a template."""

from macli.campaign.export import templates_of
from macli.campaign.loading import load
from macli.store import Store
from macli.store.campaigns import living


def using_template(store: Store, name: str) -> list[str]:
    """The campaigns that are not over and send the template, in a version that contacts are in or come into."""
    key = name.casefold()
    with store.whole():
        found = [
            row["name"]
            for row in living(store)
            if key in (used.casefold() for used in templates_of(load(store, row["id"], row["number"]).campaign))
        ]
    return store.told("campaigns", list(dict.fromkeys(found)))
