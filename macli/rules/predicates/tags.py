"""Tags on a contact."""

from dataclasses import dataclass, field
from typing import ClassVar
from typing import Literal as OneOf

from macli.address import normalise_tag
from macli.errors import UsageError
from macli.rules.readers import reads
from macli.rules.sql import WIDE, Build, Condition
from macli.rules.tree import Leaf, Rule
from macli.rules.values import Literal

TITLE = "Tags"


@dataclass(frozen=True, kw_only=True)
class Tagged(Leaf):
    """The contact has the tag now. Of several tags all are meant, unless `any of` is said. Tags are
    written as people write them; they are looked up in the form they are kept in.

    - `tagged VIP`
    - `not tagged "do not call"`
    - `tagged (vip, newsletter)`
    - `tagged all of (vip, newsletter)`
    - `tagged any of (vip, newsletter)`
    """

    tags: tuple[Literal, ...]
    how: OneOf["all", "any"] = "all"
    at: int = field(default=0, compare=False)
    looks_elsewhere: ClassVar[bool] = True
    share: ClassVar[float] = 0.1

    def __str__(self) -> str:
        if len(self.tags) == 1:
            return f"tagged {self.tags[0]}"
        return f"tagged {self.how} of ({', '.join(map(str, self.tags))})"

    def condition(self, build: Build, reach: float) -> Condition:
        names = list(dict.fromkeys(_kept(tag, build) for tag in self.tags))
        if self.how == "any" or len(names) == 1:
            return Condition(sql=_has(names, build, reach))
        return Condition(sql=f"({' AND '.join(_has([name], build, reach) for name in names)})")


def _has(names: list[str], build: Build, reach: float) -> str:
    ids = f"SELECT tags.id FROM tags WHERE tags.name IN {build.bind_all(list(names))}"
    if reach > WIDE:
        return f"contacts.id IN (SELECT contact_tags.contact_id FROM contact_tags WHERE contact_tags.tag_id IN ({ids}))"
    return (
        "EXISTS (SELECT 1 FROM contact_tags WHERE contact_tags.contact_id = contacts.id"
        f" AND contact_tags.tag_id IN ({ids}))"
    )


def _kept(tag: Literal, build: Build) -> str:
    try:
        return normalise_tag(tag.text, faithful=build.vocabulary.normalise_tags)
    except UsageError as error:
        raise build.error(error.message, tag.at, hint=error.hint) from None


@reads("tagged")
def tagged(tag: Literal) -> Rule:
    return Tagged(tags=(tag,))


@reads("tagged_all")
def tagged_all(tags: tuple[Literal, ...]) -> Rule:
    return Tagged(tags=tags)


@reads("tagged_any")
def tagged_any(tags: tuple[Literal, ...]) -> Rule:
    return Tagged(tags=tags, how="any" if len(tags) > 1 else "all")
