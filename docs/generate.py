"""The pages of docs/ that are made from the code: run it to write them, a test holds them current."""

import sys
from pathlib import Path

from typer import Context
from typer.core import TyperGroup

from macli import campaign, rules
from macli.cli import COMMANDS, root
from macli.config import SETTINGS
from macli.terms import TERMS

HERE = Path(__file__).parent
NOTE = "<!-- Made by docs/generate.py from the code: change it there. -->\n"


def command_line() -> str:
    """Every command with its help, as --help prints it."""
    commands = root()
    top = Context(commands, info_name="macli", terminal_width=100)
    lines = [
        NOTE,
        "# The command line\n",
        "What `--help` says, of every command. The global options may stand before or after a command's",
        "name. Exit codes: 0 ok, 1 the operation failed, 2 usage, 3 not permitted, 4 a provider could not be",
        "reached, 130 stopped by Ctrl-C.\n",
        _block(commands, top),
    ]
    for title, section in COMMANDS.items():
        lines.append(f"\n## {title}\n")
        for name in section:
            command = commands.get_command(top, name)
            assert command is not None
            lines += _help(command, Context(command, info_name=name, parent=top, terminal_width=100), 3)
    return "\n".join(lines).rstrip() + "\n"


def _help(command, context, depth):  # type: ignore[no-untyped-def]
    lines = [f"{'#' * depth} {context.command_path}\n", _block(command, context), ""]
    if isinstance(command, TyperGroup):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                inside = Context(inner, info_name=name, parent=context, terminal_width=100)
                lines += _help(inner, inside, depth + 1)
    return lines


def _block(command, context):  # type: ignore[no-untyped-def]
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    return f"```text\n{text}\n```"


def settings() -> str:
    """Every setting with its type, its default and its meaning."""
    rows = "\n".join(
        f"| `{known.key}` | {known.kind} | {f'`{known.default}`' if known.default else ''} | {known.doc} |"
        for known in SETTINGS
    )
    return f"""{NOTE}
# Settings

`macli settings set KEY VALUE` changes one, `macli settings unset KEY` brings its default back,
`macli settings list` shows those in force. A value is checked when it is set. They are kept in the store,
so a backup has them; passwords are not among them (see [providers](../how-to/providers.md)).

| key | type | default | meaning |
|---|---|---|---|
{rows}

A cap is written `3 per 7 days`, hours `21:00-08:00`, a duration `90 minutes` or `2 days 12 hours`; a cap
or hours can be `none`.
"""


def terms() -> str:
    """The words, each with one meaning."""
    rows = "\n".join(f"| **{term.word}** | {term.means} | {term.elsewhere} |" for term in TERMS)
    return f"""{NOTE}
# The words

One word, one meaning, in commands, files, reports and these pages. `macli help` prints this table.

| word | means | elsewhere |
|---|---|---|
{rows}
"""


PAGES = {
    "reference/command-line.md": command_line,
    "reference/settings.md": settings,
    "reference/rules.md": rules.reference,
    "reference/campaign-files.md": campaign.reference,
    "explanation/terms.md": terms,
}


if __name__ == "__main__":
    for page, write in PAGES.items():
        (HERE / page).write_text(write(), "utf-8")
        sys.stdout.write(f"wrote docs/{page}\n")
