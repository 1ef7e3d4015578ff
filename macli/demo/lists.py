"""The lists the demo's shop has of its people, as a shop has them: with doubles and slips of the pen."""

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from macli.demo.people import Person

_COLUMNS = (
    "Email",
    "First name",
    "Last name",
    "Mobile",
    "City",
    "Country",
    "Time zone",
    "Language",
    "Birthday",
    "Orders",
    "Revenue",
    "email_consent",
    "sms_consent",
)


def write_customers(file: Path, customers: Sequence[Person]) -> None:
    """All customers; three of them twice, in other letters, and three rows that cannot be right."""
    rows = [_row(person) for person in customers]
    slips = (
        {"Email": "grace.hall@"},
        {"Email": "t.nowak(at)post.example"},
        {"Email": "m.okafor@mail.example", "Mobile": "+48 12"},
    )
    doubles = ({**rows[2], "Email": rows[2]["Email"].upper()}, {**rows[5], "Email": rows[5]["Email"].title()}, rows[7])
    for place, extra in enumerate((*slips, *doubles), start=1):
        rows.insert(len(rows) * place // 8, {**rows[len(rows) * place // 8], "Mobile": "", **extra})
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, _COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def write_guests(file: Path, newcomers: Iterable[Person], known: Iterable[Person]) -> None:
    """A list as a spreadsheet in Europe saves it: semicolons, and a mark before the first letter."""
    columns = ("E-mail", "First name", "Last name", "Mobile", "City", "Country", "Time zone", "sms_consent")
    with file.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle, delimiter=";")
        writer.writerow(columns)
        for person in (*newcomers, *known):
            row = _row(person)
            writer.writerow([person.email, *(row[name] for name in columns[1:])])


def _row(person: Person) -> dict[str, str]:
    return dict(
        zip(
            _COLUMNS,
            (
                person.email,
                person.first_name,
                person.last_name,
                person.phone,
                person.city,
                person.country,
                person.zone,
                person.language,
                person.birthday.isoformat(),
                str(len(person.orders)),
                f"{person.revenue:.2f}",
                person.email_consent,
                person.sms_consent,
            ),
            strict=True,
        )
    )


def write_history(file: Path, customers: Iterable[Person]) -> None:
    """What customers did: orders paid, mails opened, links followed, addresses that ceased to work."""
    with file.open("w", encoding="utf-8") as handle:
        for person in customers:
            for order in person.orders:
                handle.write(_event(person, "order.paid", order.at, total=order.total, product=order.product))
            for moment in person.opened:
                handle.write(_event(person, "email.opened", moment))
            for moment in person.clicked:
                handle.write(_event(person, "email.clicked", moment, url="https://nordurljos.example/new"))
            if person.bounced is not None:
                handle.write(_event(person, "email.bounced", person.bounced))


def _event(person: Person, name: str, at: datetime, **properties: str | float) -> str:
    return json.dumps({"email": person.email, "event": name, "at": at.isoformat(), **properties}) + "\n"
