"""The names of the commands, the global options, and the one place that catches errors."""

import errno
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TypeAlias

from typer import main as typer_main
from typer import models
from typer._click import Command as ClickCommand
from typer._click import Context, HelpFormatter
from typer._click.exceptions import ClickException, NoArgsIsHelpError
from typer.core import TyperGroup, TyperOption
from typer.exceptions import Abort, Exit

from macli import __version__
from macli.clock import system_clock
from macli.context import Macli
from macli.errors import MacliError, UnknownName, UsageError
from macli.log import Log, without_secrets
from macli.shapes import printable

Section: TypeAlias = dict[str, str]

COMMANDS: dict[str, Section] = {
    "Start": {
        "init": "Make a workspace.",
        "demo": "Show what macli does, in a temporary workspace.",
        "settings": "Show and change settings.",
        "doctor": "Say what is missing or wrong, and what to type.",
        "help": "Explain the words macli uses.",
    },
    "People": {
        "contact": "Import, add, find and change contacts.",
        "attribute": "What is known about contacts: names and types.",
        "segment": "Select contacts by a rule.",
        "consent": "Who said yes or no, to what, and how we know.",
        "topic": "What contacts can say yes or no to.",
        "suppression": "Addresses never to be written to.",
        "privacy": "How long things are kept.",
        "category": "Sort segments, templates and campaigns, and say who may see them.",
        "staff": "Who works with macli: roles, groups, what they own.",
        "owner": "Who of the staff answers for which contact.",
        "tracker": "Hear from your pages and programs: visits, events, who it is.",
        "url-rule": "Tag who looks at certain pages, or put them into a segment.",
    },
    "Scoring": {
        "points": "What events are worth, and who has most points.",
        "stage": "The lifecycle: stages that points lead contacts through.",
        "funnel": "Ordered stages that people and campaigns move contacts through.",
        "rfm": "Contacts by how recently, how often and for how much they bought.",
        "prediction": "How likely contacts have left for good or buy again.",
    },
    "Work": {
        "note": "What people here write down about contacts.",
        "task": "What somebody here has to do, by when, about whom.",
        "deal": "What may be sold to whom, how far it is, what became of it.",
        "call": "Telephone calls: who talked to whom, what came of it.",
        "inbox": "Letters people wrote to the mailboxes that are read.",
    },
    "Sending": {
        "template": "What is written.",
        "provider": "Who carries it: SMTP, SMTP2GO, Twilio, web push, a webhook, the outbox.",
        "mail": "Bounces, complaints and answers that come by mail: mailboxes, a pipe.",
        "channel": "Which provider carries e-mail, text messages, push messages and webhooks.",
        "device": "The browsers that take push messages.",
        "campaign": "What is sent to whom and when.",
    },
    "Web": {
        "form": "Forms: what they ask and what follows.",
        "page": "Landing pages.",
        "asset": "Files to download.",
        "banner": "Banners, and who followed them.",
    },
    "Campaigns as files": {
        "apply": "Make campaigns what their files say.",
        "diff": "Show what apply would change.",
        "export": "Write campaigns as files.",
    },
    "Running": {
        "tick": "Do everything that is due, once.",
        "run": "Do what is due until stopped.",
        "serve": "Answer the world: clicks, unsubscribing, forms, pages, providers' reports.",
        "hook": "Where providers and your own systems report what happened.",
    },
    "Looking back": {
        "message": "What became of each message.",
        "event": "What happened to contacts.",
        "report": "What a campaign reached.",
        "store": "The store: check it, back it up, move it.",
    },
}


class Commands(TyperGroup):
    """The top of the command line: it knows names, and imports a command's module when it is asked for."""

    def list_commands(self, ctx: Context) -> list[str]:
        return [name for section in COMMANDS.values() for name in section]

    def get_command(self, ctx: Context, cmd_name: str) -> ClickCommand | None:
        if not any(cmd_name in section for section in COMMANDS.values()):
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = load(cmd_name)
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, ClickCommand | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx):
            raise UnknownName("command", name, self.list_commands(ctx), hint="macli --help lists them")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        width = max(len(name) for name in self.list_commands(ctx))
        for title, section in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in section.items()])

    def shell_complete(self, ctx: Context, incomplete: str) -> list[Any]:
        from typer._click.shell_completion import CompletionItem

        return [
            CompletionItem(name, help=text)
            for section in COMMANDS.values()
            for name, text in section.items()
            if name.startswith(incomplete)
        ] or super().shell_complete(ctx, incomplete)


def load(name: str) -> ClickCommand:
    """The command ``name``: its module's ``app``, or its one function ``command``."""
    module = import_module(f"macli.commands.{name.replace('-', '_')}")
    app = getattr(module, "app", None)
    command: ClickCommand
    if app is not None:
        # Rich is imported by typer's own help alone; plain help starts in half the time.
        app.rich_markup_mode = None
        command = typer_main.get_group(app)
    else:
        command = typer_main.get_command_from_info(
            models.CommandInfo(name=name, callback=module.command),
            pretty_exceptions_short=True,
            rich_markup_mode=None,
        )
    command.name = name
    _accept(command, global_options(hidden=True))
    return command


def _accept(command: ClickCommand, options: Sequence[TyperOption]) -> None:
    """Take the global options after the command's name too, where people type them."""
    if isinstance(command, TyperGroup):
        for inner in command.commands.values():
            _accept(inner, options)
    taken = {word for param in command.params for word in param.opts}
    if "--json" not in taken and not isinstance(command, TyperGroup) and command.name not in _TELLS_A_STORY:
        command.params.append(_json_option())
    command.params.extend(option for option in options if not taken.intersection(option.opts))


_TELLS_A_STORY = {"demo"}


def _json_option() -> TyperOption:
    """``--json`` of a command that has nothing to list: what it says, as one object."""

    def keep(ctx: Context, param: Any, value: bool) -> None:
        macli = ctx.find_root().obj
        if value and isinstance(macli, Macli):
            macli.json = True

    return TyperOption(
        param_decls=["--json"], is_flag=True, default=False, help="Write JSON.", callback=keep, expose_value=False
    )


def global_options(*, hidden: bool = False) -> list[TyperOption]:
    """The options of every command; each writes itself into the run."""

    def option(flags: Sequence[str], attribute: str, help: str, **more: Any) -> TyperOption:
        def keep(ctx: Context, param: Any, value: Any) -> None:
            macli = ctx.find_root().obj
            if value and isinstance(macli, Macli):
                setattr(macli, attribute, Path(value) if more.get("metavar") in ("DIR", "FILE") else value)

        return TyperOption(param_decls=[*flags], help=help, callback=keep, expose_value=False, hidden=hidden, **more)

    flag = {"is_flag": True, "default": False}
    return [
        option(
            ["--workspace"],
            "workspace_option",
            "The workspace, where it is not here or above.",
            metavar="DIR",
        ),
        option(["--as"], "acting_option", "Who types this, of the staff; else MACLI_USER says.", metavar="NAME"),
        option(["--quiet", "-q"], "quiet", "Write results and errors only.", **flag),
        option(["--verbose", "-v"], "verbose", "Write more; with an error, where it came from.", **flag),
        option(["--no-color"], "no_color", "Write no colours; NO_COLOR in the environment does the same.", **flag),
        option(["--log-file"], "log_file", "Also write what happens to this file.", metavar="FILE"),
        option(["--log-json"], "log_json", "Write the log as JSON, one object a line.", **flag),
    ]


def _version(ctx: Context, param: Any, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        print(f"macli {__version__}")
        raise Exit(0)


def root() -> Commands:
    install, show = typer_main.get_install_completion_arguments()
    version = TyperOption(
        param_decls=["--version"],
        is_flag=True,
        default=False,
        is_eager=True,
        expose_value=False,
        callback=_version,
        help="Say which macli this is.",
    )
    return Commands(
        name="macli",
        help="Marketing automation: contacts, segments, campaigns by e-mail and SMS, each message once.",
        params=[*global_options(), version, install, show],
        no_args_is_help=True,
        rich_markup_mode=None,
    )


def run(args: Sequence[str], *, macli: Macli | None = None) -> int:
    """Run one command line; its exit code. Every error ends here."""
    macli = macli or Macli()
    macli.run_line = run
    started = time.monotonic()
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _invoke(args, macli)
    except Exception as error:
        code = _report(error, args, macli)
    except KeyboardInterrupt:
        code = _fail(args, macli, "stopped", "the same command goes on where this one stopped", 130)
    finally:
        macli.close()
    if (macli.log_json or macli.log_file or "workspace" in macli.__dict__) and macli.log:
        seconds = round(time.monotonic() - started, 3)
        macli.log.write("info", "ended", args=without_secrets(args), exit_code=code, seconds=seconds)
    return code


def _open_closed_streams() -> None:
    """Whoever starts macli without one of its streams gives it nothing to read, or does not want to hear."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - open until the end


def _invoke(args: Sequence[str], macli: Macli) -> int:
    commands = root()
    # A shell that wants completions asks by an environment variable and is answered here.
    commands._main_shell_completion({"obj": macli}, "macli")
    try:
        with commands.make_context("macli", list(args), obj=macli, max_content_width=100) as ctx:
            commands.invoke(ctx)
        if macli.json:
            print(json.dumps({"done": macli.said}, ensure_ascii=False))
        sys.stdout.flush()
    except Exit as ended:
        return ended.exit_code
    return 0


def _report(error: Exception, args: Sequence[str], macli: Macli) -> int:
    """Say what went wrong and what to type; the exit code."""
    if isinstance(error, MacliError):
        if macli.verbose:
            traceback.print_exception(error)
        return _fail(args, macli, error.message, error.hint, error.exit_code)
    if isinstance(error, NoArgsIsHelpError):
        print(error.ctx.get_help() if error.ctx else "", file=sys.stderr)
        return 2
    if isinstance(error, ClickException):
        path = getattr(error, "ctx", None)
        hint = f"{path.command_path} --help shows what it takes" if path else None
        return _fail(args, macli, error.format_message(), hint, error.exit_code)
    if isinstance(error, Abort):
        return _fail(args, macli, "stopped", None, 130)
    if isinstance(error, BrokenPipeError):
        # Whoever read has gone; Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    if isinstance(error, OverflowError) and "SQLite" in str(error):
        return _fail(args, macli, "a number is larger than any the store can hold", None, UsageError.exit_code)
    if known := surroundings(error):
        return _fail(args, macli, *known, 1)
    return _unexpected(error, args, macli)


def surroundings(error: Exception) -> tuple[str, str | None] | None:
    """What the machine refused, in words: a full disk, a locked or damaged store, an unreadable file."""
    if isinstance(error, OSError) and error.errno is not None:
        if error.errno == errno.ENOSPC:
            return "the disk is full", "make room, then run the same command again: nothing is done twice"
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{os.strerror(error.errno)}", None
    if type(error).__module__ != "sqlite3":
        return None
    match getattr(error, "sqlite_errorname", "").split("_")[:2]:
        case ["SQLITE", "FULL"]:
            return "the disk is full", "make room, then run the same command again: nothing is done twice"
        case ["SQLITE", "BUSY"]:
            return "another program holds the store locked", "run the same command again when it has ended"
        case ["SQLITE", "READONLY"] | ["SQLITE", "CANTOPEN"] | ["SQLITE", "PERM"]:
            return "the store cannot be written", "who owns macli.db and its directory? ls -l"
        case ["SQLITE", "CORRUPT"] | ["SQLITE", "NOTADB"]:
            return f"the store is damaged: {error}", "macli store check says more; restore the last backup"
        case ["SQLITE", "IOERR"]:
            return f"the disk failed: {error}", None
    return None


def _unexpected(error: Exception, args: Sequence[str], macli: Macli) -> int:
    """A mistake of macli's own: a line for the person, the traceback for who mends it."""
    trace = "".join(traceback.format_exception(error))
    if macli.verbose:
        sys.stderr.write(trace)
        return _fail(args, macli, f"{type(error).__name__}: {error}", None, 1)
    import tempfile

    log = macli.log
    if log is None or log.file is None:
        log = Log(Path(tempfile.gettempdir()) / f"macli-{os.getuid()}.log", as_json=False, now=system_clock)
    log.write("error", f"{type(error).__name__}: {error}", args=without_secrets(args), traceback=trace)
    return _fail(
        args,
        macli,
        f"a mistake in macli itself: {type(error).__name__}: {error}",
        f"the details are in {log.file}; or add --verbose",
        1,
    )


def _fail(args: Sequence[str], macli: Macli, message: str, hint: str | None, code: int) -> int:
    if macli.log:
        macli.log.write("error", message, hint=hint, exit_code=code)
    if _reads_json(args):
        said = {"error": message, "hint": hint, "exit_code": code}
        print(json.dumps(said, ensure_ascii=False), file=sys.stderr)
        return code
    # What a server or a file says is in it, too.
    print(f"macli: {printable(message)}", file=sys.stderr)
    if hint:
        print(f"  {printable(hint)}", file=sys.stderr)
    return code


def _reads_json(args: Sequence[str]) -> bool:
    """Whether a program reads what this command line writes."""
    return any(
        word in ("--json", "--format=json", "--format=ndjson") or (word in ("json", "ndjson") and before == "--format")
        for before, word in zip(("", *args), args, strict=False)
    )
