"""A template version ready to render: compiled once, then a message is three joins."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from macli.content.errors import TemplateFault
from macli.content.headers import one_line
from macli.content.values import GIVEN, OWN, Record

if TYPE_CHECKING:
    from jinja2 import Template

SMS_LIMIT = 1600
"""The characters a text message may have (Twilio refuses more)."""

_RAW = re.compile(r"<(style|script)\b.*?</\1", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a template says to one contact. Mail has subject and html, an SMS or a webhook only text."""

    subject: str
    text: str
    html: str | None


class Renderer:
    """Renders one template version for one campaign step.

    ``version`` has the columns of ``template_versions``; ``name`` is the template's, for error messages;
    ``kind`` its kind. ``campaign``, ``sender``, ``postal_address`` and ``now`` are what every message of
    the step may say; ``tracked``: the links were made to tell when they are followed (tracking.followed).
    """

    def __init__(
        self,
        version: Record,
        *,
        name: str,
        now: datetime,
        kind: str = "email",
        campaign: Mapping[str, Any] | None = None,
        sender: Mapping[str, Any] | None = None,
        postal_address: str | None = None,
        tracked: bool = False,
    ) -> None:
        from macli.content.language import compile_part, open_context

        self.name = name
        self.kind = kind
        self._open = open_context
        self._subject, self._html, self._text = (
            None
            if version[part] is None
            else compile_part(version[part], html=part == "html", where=f"{name} ({part})", tracked=tracked)
            for part in ("subject", "html", "text")
        )
        self._references = _referable(version["html"] or "")
        self._defaults: dict[str, Any] = json.loads(version["defaults"])
        given = {
            "campaign": {**dict.fromkeys(GIVEN["campaign"], ""), **(campaign or {})},
            "sender": {**dict.fromkeys(GIVEN["sender"], ""), **(sender or {})},
            "postal_address": postal_address or "",
            "now": now,
            **dict.fromkeys(OWN, ""),
        }
        self._below = {"range": self._global("range"), **self._defaults}
        self._above = given

    def _global(self, name: str) -> Any:
        template = self._text or self._html or self._subject
        return None if template is None else template.globals[name]

    def render(self, values: Mapping[str, Any], **own: Any) -> Rendered:
        """The parts for a contact whose values are ``values``; ``own`` is what only this message is given.

        Raises TemplateFault where this contact's values do not do: a missing one, an amount that is no
        number. That is this message's failure and nobody else's.
        """
        contact = {**self._defaults, **values} if self._defaults else values
        scope = {
            **self._below,
            **values,
            **self._above,
            "contact": contact,
            **own,
        }
        subject = self._part("subject", self._subject, scope)
        html = self._part("html", self._html, scope)
        if self._references and html is not None and not html.isascii():
            html = html.encode("ascii", "xmlcharrefreplace").decode("ascii")
        text = self._part("text", self._text, scope) or ""
        if self.kind == "sms" and len(text) > SMS_LIMIT:
            raise TemplateFault(f"{len(text)} characters; a text message has at most {SMS_LIMIT}", where=self.name)
        return Rendered(one_line(subject) if subject else "", text, html)

    def _part(self, part: str, template: "Template | None", scope: dict[str, Any]) -> str | None:
        if template is None:
            return None
        try:
            return "".join(template.root_render_func(self._open(template, scope)))
        except Exception as error:
            # Whatever a template's own code can raise: it ends this message and says where.
            raise TemplateFault(
                reason_of(error), where=f"{self.name} ({part})", line=line_of(template, error)
            ) from error


def _referable(html: str) -> bool:
    """Whether the few non-ASCII characters of an HTML part may be written ``&#233;``.

    The message is then sent as it is: quoted-printable costs 60 µs for 4 KB, this 5. Not where most
    is not ASCII, and not where style sheets or scripts would be touched, which know no references.
    """
    raw = "".join(match[0] for match in _RAW.finditer(html))
    return raw.isascii() and "{{" not in raw and len(html.encode()) * 8 <= len(html) * 9


def reason_of(error: Exception) -> str:
    """What went wrong, in words for who wrote the template."""
    from jinja2 import UndefinedError

    words = str(error) or type(error).__name__
    if isinstance(error, UndefinedError):
        return f"a value is missing: {words}"
    return words if not isinstance(error, RecursionError) else "the template calls itself without end"


def line_of(template: "Template", error: Exception) -> int | None:
    """The template's line an error came from: the innermost frame of its compiled code."""
    line, frame = None, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_globals.get("name") is template.name and "blocks" in frame.tb_frame.f_globals:
            line = template.get_corresponding_lineno(frame.tb_lineno)
        frame = frame.tb_next
    return line
