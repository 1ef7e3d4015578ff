"""What a message costs: rendered and assembled by macli, against Jinja2 and EmailMessage the obvious way.

A newsletter of 4 KB, two alternatives, five personal links. Prints microseconds and the ratio, both
measured in turn in the same run.
"""

import json
import statistics
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from jinja2 import Environment

from macli.content.mail import MailBuilder, mailto_of
from macli.content.render import Renderer
from macli.content.values import values_of

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
LINKS = "".join(
    f'<tr><td style="padding:8px 0"><a href="https://shop.example/p/{n}?c={{{{ token }}}}&amp;n={n}"'
    f' style="color:#0a6">Offer {n} for {{{{ first_name }}}}</a></td></tr>\n'
    for n in range(1, 6)
)
FILLER = '<p style="margin:0 0 12px">Warm coats, wool hats and good boots have arrived in our shop.</p>\n' * 24
HTML = f"""<!doctype html><html><body style="margin:0;font-family:sans-serif">
<h1>Hello {{{{ first_name }}}}</h1>
{{% if score > 50 %}}<p>As a valued customer you save {{{{ score }}}} %.</p>{{% endif %}}
<table>{LINKS}</table>
{FILLER}<p>{{{{ postal_address }}}} · <a href="{{{{ unsubscribe_url }}}}">Unsubscribe</a></p></body></html>"""
TEXT = (
    "Hello {{ first_name }},\n\n"
    + "".join(f"Offer {n}: https://shop.example/p/{n}?c={{{{ token }}}}&n={n}\n" for n in range(1, 6))
    + "Warm coats, wool hats and good boots have arrived.\n" * 12
    + "\n{{ postal_address }}\nUnsubscribe: {{ unsubscribe_url }}\n"
)
SUBJECT = "{{ first_name }}, winter is here"


def contact(number: int) -> dict[str, object]:
    attributes = {"first_name": f"Ann{number}", "last_name": "Lee", "country": "Canada", "score": number % 100}
    return {
        "id": number,
        "email": f"ann{number}@example.com",
        "phone": None,
        "external_id": f"c-{number}",
        "timezone": "America/Toronto",
        "locale": "en",
        "state": "lead",
        "source": "import",
        "attributes": json.dumps({**attributes, "token": f"{number:08x}{'9f' * 12}"}),
    }


def macli_way(accent: str = "") -> "callable":
    version = {
        "subject": SUBJECT + accent,
        "html": HTML.replace("Hello", f"Hello{accent}"),
        "text": TEXT.replace("Hello", f"Hello{accent}"),
        "defaults": "{}",
    }
    renderer = Renderer(version, name="bench", now=NOW, postal_address="1 Main St, Ottawa")
    builder = MailBuilder(
        sender="news@shop.example", sender_name="The Shop", list_id="shop", unsubscribe_mailto="out@shop.example"
    )

    def one(row: dict[str, object]) -> bytes:
        key = f"m{row['id']}"
        rendered = renderer.render(values_of(row), unsubscribe_url=mailto_of("out@shop.example", key))
        return builder.build(
            key=key,
            to=row["email"],
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            date=NOW,
        )

    return one


def obvious_way() -> "callable":
    plain, escaped = Environment(), Environment(autoescape=True)
    subject, text, html = plain.from_string(SUBJECT), plain.from_string(TEXT), escaped.from_string(HTML)

    def one(row: dict[str, object]) -> bytes:
        values = json.loads(row["attributes"]) | {
            "email": row["email"],
            "postal_address": "1 Main St, Ottawa",
            "unsubscribe_url": f"mailto:out@shop.example?subject=unsubscribe%20m{row['id']}",
        }
        message = EmailMessage(policy=SMTP)
        message["From"] = "The Shop <news@shop.example>"
        message["To"] = row["email"]
        message["Subject"] = subject.render(values)
        message["Date"] = format_datetime(NOW)
        message["Message-ID"] = make_msgid(f"m{row['id']}", "shop.example")
        message["List-Unsubscribe"] = f"<{values['unsubscribe_url']}>"
        message["List-ID"] = "shop <shop.shop.example>"
        message.set_content(text.render(values))
        message.add_alternative(html.render(values), subtype="html")
        return message.as_bytes()

    return one


def cost(one: "callable", rows: list[dict[str, object]]) -> float:
    start = time.process_time()
    for row in rows:
        one(row)
    return (time.process_time() - start) / len(rows) * 1e6


def main() -> None:
    rows = [contact(number) for number in range(500)]
    ways = {"macli": macli_way(), "macli, non-ASCII": macli_way(" żółć"), "Jinja2 and EmailMessage": obvious_way()}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(7):
        for name, one in ways.items():
            taken[name].append(cost(one, rows))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    reference = medians["Jinja2 and EmailMessage"]
    print(f"a message of {len(ways['macli'](rows[0]))} bytes, CPU per message")
    for name, microseconds in medians.items():
        print(f"{name:26} {microseconds:8.1f} µs   {reference / microseconds:6.1f} × the obvious way")


if __name__ == "__main__":
    main()
