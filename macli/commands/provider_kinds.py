"""``macli provider add KIND``: a command for each kind, its options read off the kind's settings."""

import sys
from collections.abc import Callable
from inspect import Parameter, Signature, cleandoc
from typing import Annotated, Any

import typer

from macli import secrets
from macli.context import Macli
from macli.providers import KINDS, module_of
from macli.providers.settings import Option, options
from macli.secrets import Secret
from macli.store import providers

EXAMPLES = {
    "outbox": "macli provider add outbox box --path out",
    "smtp": "macli provider add smtp local --host 127.0.0.1 --port 2525 --from news@example.com",
    "smtp2go": "macli provider add smtp2go go --username news --password env:SMTP2GO_PASSWORD --port 587",
    "twilio": "macli provider add twilio texts --account-sid AC… --from +15005550006 --auth-token env:TWILIO",
    "webhook": "macli provider add webhook crm --url https://example.com/hook --secret env:HOOK_SECRET",
    "webpush": "macli provider add webpush push --subject mailto:web@example.com",
}

app = typer.Typer(no_args_is_help=True, help="Add a provider of a kind.")


def add(macli: Macli, kind: str, name: str, given: dict[str, Any]) -> None:
    """Keep a provider, asking for the secrets that are wanted and were not given."""
    settings = {key: value for key, value in given.items() if value is not None}
    wanted = wanted_secrets(kind, settings)
    made = {
        option.key: option.made
        for option in options(module_of(kind).Settings)
        if option.made is not None and option.key not in settings
    }
    # No secret is asked for or written, over another perhaps, for a provider that cannot be added.
    named = {key: secrets.reference(f"{name}.{key}") for key in (*(option.key for option in wanted), *made)}
    providers.check(macli.store, name, kind, {**settings, **named}, workspace=macli.workspace.path)
    asked = {option.key: _ask(macli, name, option) for option in wanted}
    kept = {key: secrets.keep(macli.workspace.path, f"{name}.{key}", value) for key, value in asked.items() if value}
    kept |= {key: secrets.keep_once(macli.workspace.path, f"{name}.{key}", make) for key, make in made.items()}
    providers.add(macli.store, macli.now(), name, kind, {**settings, **kept}, workspace=macli.workspace.path)
    warn_of_exposed(macli, name)
    macli.out.say(f"added the {kind} provider {name!r}; macli provider test {name!r} tries it")


def wanted_secrets(kind: str, settings: dict[str, Any]) -> list[Option]:
    """The secrets a person is asked for: required, or belonging to a setting that is given."""
    return [
        option
        for option in options(module_of(kind).Settings)
        if option.type is Secret
        and option.key not in settings
        and option.made is None
        and (option.required or option.asked_with in settings)
    ]


def warn_of_exposed(macli: Macli, name: str) -> None:
    """Say which of a provider's secrets others on this machine can read."""
    folder = macli.workspace.path
    for reference in providers.secrets_of(macli.store, name):
        warning = Secret(reference, folder).exposed()
        if warning:
            macli.out.warn(warning)


def _ask(macli: Macli, name: str, option: Option) -> str:
    """A secret typed on the terminal, unseen; nothing where there is none, and the settings then say so."""
    if not sys.stdin.isatty():
        return ""
    return str(typer.prompt(f"{option.key} of {name}", hide_input=True, err=True))


def _command(kind: str) -> Callable[..., None]:
    offered = [option for option in options(module_of(kind).Settings) if option.reader is None]

    def command(ctx: typer.Context, name: str, **given: Any) -> None:
        add(Macli.of(ctx), kind, name, {option.key: given[option.field] for option in offered})

    parameters = [
        Parameter("ctx", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
        Parameter(
            "name",
            Parameter.POSITIONAL_OR_KEYWORD,
            annotation=Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
        ),
        *(
            Parameter(option.field, Parameter.KEYWORD_ONLY, default=None, annotation=_typed(option))
            for option in offered
        ),
    ]
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = f"{cleandoc(module_of(kind).Settings.__doc__ or '')}\n\nExample: {EXAMPLES[kind]}"
    return command


def _typed(option: Option) -> Any:
    """The option as Typer reads it; every one may be left out, and the settings say what is missing."""
    shown = option.help
    if option.default is not None and option.type is not bool:
        shown += f" [default: {option.default}]"
    if option.type is bool:
        return Annotated[bool | None, typer.Option(f"{option.flag}/--no-{option.flag[2:]}", help=shown)]
    kind = option.type if option.type in (int, float) else str
    metavar = "|".join(option.choices) or None
    return Annotated[kind | None, typer.Option(option.flag, help=shown, metavar=metavar, show_default=False)]


for _kind in KINDS:
    app.command(_kind)(_command(_kind))
