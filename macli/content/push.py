"""Push messages: a short YAML document – title, body, url, icon – whose values are templates."""

import json
from collections.abc import Mapping
from typing import Any

from macli.content.errors import TemplateFault
from macli.content.render import Rendered
from macli.errors import UnknownName, UsageError

FIELDS = ("title", "body", "url", "icon")
_ADDRESSES = ("url", "icon")


def parts_of(source: str, *, where: str) -> tuple[str, str]:
    """The title, and a template that renders the other fields as JSON. Raises UsageError and TemplateError."""
    from macli.content.language import parse

    fields = _fields(source, where)
    for name, value in fields.items():
        parse(value, html=False, where=f"{where}: {name}")
    rest = (
        f"{json.dumps(name)}: {{% filter tojson %}}{value}{{% endfilter %}}"
        for name, value in fields.items()
        if name != "title"
    )
    return fields["title"], "{" + ", ".join(rest) + "}"


def _fields(source: str, where: str) -> dict[str, str]:
    import yaml

    example = "title: 'Hi {{ first_name }}', body: …, url: https://…"
    try:
        document = yaml.safe_load(source)
    except yaml.YAMLError as error:
        at = getattr(error, "problem_mark", None)
        line = "" if at is None else f":{at.line + 1}"
        raise UsageError(f"{where}{line}: no YAML: {getattr(error, 'problem', error)}", hint=example) from None
    if not isinstance(document, dict) or not document.get("title"):
        raise UsageError(f"{where}: a push message has a 'title'", hint=example)
    for name, value in document.items():
        if name not in FIELDS:
            raise UnknownName(f"{where}: field of a push message", str(name), FIELDS)
        if isinstance(value, (dict, list)):
            raise UsageError(f"{where}: {name!r} is text, in quotes where it begins with {{{{", hint=example)
    fields = {name: str(document[name]).strip() for name in FIELDS if document.get(name) is not None}
    for name in _ADDRESSES:
        if not _may_be_address(fields.get(name, "https:")):
            raise UsageError(f"{where}: {name} {fields[name]!r} is no https address", hint=example)
    return {name: value for name, value in fields.items() if value}


def fields_of(rendered: Rendered) -> dict[str, str]:
    """A rendered message: title, and body, url and icon where there are some."""
    said: Mapping[str, Any] = json.loads(rendered.text)
    return {"title": rendered.subject, **{name: value for name, value in said.items() if value}}


def in_lines(rendered: Rendered) -> str:
    """A rendered message as people read it, a field a line."""
    return "\n".join(f"{name}: {value}" for name, value in fields_of(rendered).items())


def payload_of(rendered: Rendered, *, where: str) -> dict[str, str]:
    """What a device is sent. Raises TemplateFault where an address is none."""
    payload = fields_of(rendered)
    for name in _ADDRESSES:
        if name in payload and not payload[name].startswith(("https://", "http://")):
            raise TemplateFault(f"{name} {payload[name]!r} is no https address", where=where)
    return payload


def _may_be_address(text: str) -> bool:
    return text.startswith(("https:", "http:", "{{", "{%"))
