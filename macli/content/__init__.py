"""Content: from templates to the octets of messages.

For whoever sends, all made once per step and used for every message: ``Renderer`` (a template version,
compiled), ``MailBuilder`` (everything of a mail that is the same for all), ``values_of`` (a contact row
as a template sees it), ``mailto_of`` (the address that unsubscribes), ``attachments_of``, ``wire_address``
and ``needs_smtputf8`` (an address as SMTP needs it), ``with_footer`` (what a marketing mail must show),
``followed``, ``addresses``, ``with_pixel``, ``utm`` and ``Trail`` (links that tell when they are
followed). What goes wrong for one contact is a ``TemplateFault``.

For whoever saves or checks templates: ``prepare.prepare``, ``prepare.decode``, ``missing.required_values``
and ``missing.missing_values``, ``lint.lint``, ``preview.preview``, ``sms.segments_of``.

Nothing here imports Jinja2 or another large library before it is needed.
"""

from macli.content.errors import TemplateError, TemplateFault
from macli.content.footer import with_footer
from macli.content.headers import needs_smtputf8, wire_address
from macli.content.mail import Attachment, MailBuilder, attachments_of, mailto_of
from macli.content.render import SMS_LIMIT, Rendered, Renderer
from macli.content.tracking import Trail, addresses, followed, utm, with_pixel
from macli.content.values import values_of

__all__ = [
    "SMS_LIMIT",
    "Attachment",
    "MailBuilder",
    "Rendered",
    "Renderer",
    "TemplateError",
    "TemplateFault",
    "Trail",
    "addresses",
    "attachments_of",
    "followed",
    "mailto_of",
    "needs_smtputf8",
    "utm",
    "values_of",
    "wire_address",
    "with_footer",
    "with_pixel",
]
