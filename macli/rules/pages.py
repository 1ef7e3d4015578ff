"""The page on the rule language: how a rule is put together, and every predicate in its own words."""

import inspect

from macli.rules.entities import ENTITIES
from macli.rules.predicates import SUBJECTS
from macli.rules.tree import Leaf

HEAD = """\
# Rules

<!-- Made by macli.rules.reference(); the words stand in macli/rules. -->

A rule is text that selects contacts. It is the same in a segment, behind `--where`, in a campaign's
entry, exit and branches:

```
country = "Canada" and opened email within 30 days and not tagged churned
```

- Conditions are joined by `and`, `or`, `not` and brackets; `not` binds tighter than `and`, `and`
  tighter than `or`.
- Keywords may be written in any case. A `#` begins a comment that ends with the line; a rule may run
  over several lines.
- A text of several words stands in "double" or 'single' quotes; in them `\\"`, `\\'` and `\\\\` are the
  characters themselves. A single word needs no quotes. An attribute that is called like a keyword
  is written in quotes, too: `"event" = gala`.
- Every condition is true or false, never unknown: where a contact has no value, a condition on it is
  false and its opposite true. `!=` is the opposite of `=`.
- A name that is not there (an attribute, a segment, a stage, a member of staff) is an error, and so is a
  comparison that does not fit what the attribute holds.
- `score`, `stage`, `owner`, `churn` and `purchase` have a meaning of their own unless an attribute is called so.
  No attribute is declared or forgotten where that would change what a rule in the store means by one of them.
- `macli segment explain RULE` shows how a rule was read, its SQL, and how long it takes.

## Rules over tasks, deals, calls, mails and notes

`macli task list --where RULE` and its like take rules that ask for fields of what is listed, with the same
comparisons. Everything else is asked of the contact it is about: `due < today and assignee = anna and
tagged vip`. Where there is no such contact, that is false and its opposite true. A name in quotes is
the contact's even where a field is called so: `"state" = customer`.

{fields}

## Times

A date is `2026-12-01`, `today`, `yesterday`, `tomorrow`; a moment is `"2026-12-01 09:00"` or
`"2026-12-01 09:00 Europe/Warsaw"`. A length of time is `30 days`, `2 hours 30 minutes`, `6w`; a month is
30 days and a year 365. Days begin and end in the workspace's time zone.

| written | means |
|---|---|
| `within 30 days` | in the last 30 days, up to now |
| `within next 7 days` | from now on, in the coming 7 days |
| `more than 3 days ago` · `less than 3 days ago` | before that point · after it, up to now |
| `in more than 3 days` · `in less than 3 days` | after that point of the future · before it, from now on |
| `before 2026-01-01` · `after 2026-01-01` | before the day begins · after it ends |
| `on 2026-01-01` | on that day |
| `between 2026-01-01 and 2026-01-31` | from the first day to the last, both included |
| `<` `<=` `>` `>=` `=` | the same in signs, for attributes |
"""


def reference() -> str:
    """The whole page as Markdown."""
    parts = [HEAD.replace("{fields}", _fields())]
    for subject in SUBJECTS:
        parts.append(f"## {subject.TITLE}\n")
        found = (value for value in vars(subject).values() if inspect.isclass(value))
        for predicate in found:
            own = predicate.__module__ == subject.__name__
            if own and issubclass(predicate, Leaf) and not inspect.isabstract(predicate):
                parts.append(f"{inspect.getdoc(predicate)}\n")
    return "\n".join(parts)


def _fields() -> str:
    """The fields of each kind, as a table."""
    lines = ["| of a | fields |", "|---|---|"]
    for entity in ENTITIES.values():
        lines.append(f"| {entity.kind} | {', '.join(f'`{name}`' for name in entity.fields)} |")
    return "\n".join(lines)


def examples() -> list[str]:
    """Every rule the page shows as an example of a predicate."""
    lines = (line.strip() for part in reference().split("\n## ")[2:] for line in part.splitlines())
    return [line[3:-1] for line in lines if line.startswith("- `") and line.endswith("`")]
