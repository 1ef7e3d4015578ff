"""The tracker's clients: what to paste into a page or a program, with this workspace's address."""

from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args

from macli.config import readers
from macli.errors import OperationFailed, UnknownName, UsageError
from macli.secrets import Secret
from macli.visitors.keys import REFERENCE

Language = Literal["js", "ruby", "php", "python", "curl"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

_UNSAFE = set("\"'`\\$#{}<>\n\r")
"""Characters that would mean something in one of the languages."""


def snippet(language: str, workspace: Path, public_url: str | None) -> str:
    """The client for a language. The key stays where it is: a client reads it from there, or from its environment.

    Raises UsageError for another language and where the address is not known, OperationFailed where no key was made.
    """
    if language not in LANGUAGES:
        raise UnknownName("client", language, LANGUAGES, hint=f"one of {', '.join(LANGUAGES)}")
    if public_url is None:
        raise UsageError(
            "where macli serve is reached from outside is not known",
            hint="macli settings set public_url https://news.example.com, or --public-url",
        )
    url = readers.url(public_url)
    text = files("macli.tracker_clients").joinpath(f"{language}.txt").read_text("utf-8")
    if _UNSAFE & set(url):
        raise UsageError(f"{url!r} is no address to be written into a program")
    if language == "js":
        return text.replace("{{ url }}", url)
    file = Secret(REFERENCE, workspace).path
    if not file.exists():
        raise OperationFailed("a program of yours has to show a key, and there is none yet", hint="macli tracker key")
    if _UNSAFE & set(str(file)):
        raise OperationFailed(f"{file} is no path to be written into a program", hint="move the workspace")
    where = f"The key is read from MACLI_TRACKER_KEY, else from\n{{}}{file}"
    marks = {"ruby": "# ", "php": "// ", "python": "", "curl": "# "}
    texts = {"url": url, "key_file": str(file), "where": where.format(marks[language])}
    for name, value in texts.items():
        text = text.replace(f"{{{{ {name} }}}}", value)
    return text
