"""The house holds: who may import whom, how large a module is, where SQL may say what."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent / "macli"

LAYERS = (
    {
        "macli",
        "errors",
        "clock",
        "model",
        "dialect",
        "address",
        "colors",
        "config",
        "shapes",
        "event_names",
        "urls",
        "texts",
    },
    {"rules", "providers", "secrets", "signing", "store"},
    {"content", "audience", "quiet", "actions", "campaign", "selection", "effects", "scoring"},
    {"events"},
    {
        "contacts",
        "lifecycle",
        "people",
        "segments",
        "importer",
        "tick",
        "reports",
        "hits",
        "responses",
        "mailbox",
        "visitors",
        "forms",
        "privacy",
    },
    {"web"},
    {"context", "output", "log", "workspace", "terms"},
    {"doctor", "demo"},
    {"commands"},
    {"cli", "__main__"},
)
"""A room may import its own layer and those before it."""

STRANGERS = {
    "rules": {"store"},
    "store": {"rules"},
    "providers": {"store", "campaign"},
}
"""Rooms of one layer that do not know each other."""

SQLITE_UTILS = {"store/connection.py", "store/migrations/__init__.py"}
LONGEST = 400
MEDIAN = 150


def modules() -> list[Path]:
    return sorted(path for path in HOUSE.rglob("*.py") if "library" not in path.parts)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def dotted(path: Path) -> str:
    parts = ("macli", *path.relative_to(HOUSE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


@cache
def names() -> frozenset[str]:
    return frozenset(dotted(path) for path in modules())


def imports(node: ast.AST, of: str, *, lazy: bool) -> Iterator[str]:
    """The macli modules ``node`` imports; with ``lazy``, those inside functions too."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.Import):
            yield from (alias.name for alias in inner.names if alias.name.split(".")[0] == "macli")
        elif isinstance(inner, ast.ImportFrom):
            assert inner.level == 0, f"{of}: imports are absolute"
            if inner.module and inner.module.split(".")[0] == "macli":
                for alias in inner.names:
                    name = f"{inner.module}.{alias.name}"
                    yield name if name in names() else inner.module
        elif not _left_out(inner, lazy=lazy):
            yield from imports(inner, of, lazy=lazy)


def _left_out(node: ast.AST, *, lazy: bool) -> bool:
    """Functions where only what is imported at start counts, and what only the type checker sees."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return not lazy
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def layer(module: str) -> int:
    for number, rooms in enumerate(LAYERS):
        if room(module) in rooms:
            return number
    pytest.fail(f"{module} has no place in the house: give it one in LAYERS")


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_a_module_imports_its_own_layer_and_those_below(path: Path) -> None:
    module = dotted(path)
    for imported in imports(tree(path), module, lazy=True):
        if imported == "macli":
            continue
        assert layer(imported) <= layer(module), f"{module} imports {imported}, which is above it"
        assert room(imported) not in STRANGERS.get(room(module), ()), f"{module} must not know {imported}"


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {dotted(path): set(imports(tree(path), dotted(path), lazy=False)) for path in modules()}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, f"a circle: {' → '.join((*way[way.index(module) :], module))}"
        if module not in done:
            for imported in graph.get(module, ()):
                if imported != module:
                    visit(imported, (*way, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_a_module_opens_with_one_sentence_and_stays_small(path: Path) -> None:
    text = path.read_text("utf-8")
    if not text.strip():
        assert path.name == "__init__.py"
        return
    assert len(text.splitlines()) <= LONGEST
    if path.parent.name == "predicates":
        return  # there the docstring is a heading of the generated page on rules
    summary = (ast.get_docstring(tree(path)) or "").split("\n\n")[0]
    assert summary.endswith((".", ".``")), f"{dotted(path)} does not open with a sentence"


def test_half_of_the_modules_are_shorter_than_a_few_screens() -> None:
    lengths = sorted(len(path.read_text("utf-8").splitlines()) for path in modules() if path.stat().st_size)
    assert lengths[len(lengths) // 2] <= MEDIAN


def strings(path: Path) -> Iterator[str]:
    """The string constants of a module that are not docstrings, f-strings joined."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree(path))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_sql_reads_no_clock_and_speaks_the_common_subset(path: Path) -> None:
    forbidden = r"\bnow\(\)|CURRENT_TIMESTAMP|'now'|INSERT OR |REPLACE INTO|\browid\b|\bAUTOINCREMENT\b"
    for text in strings(path):
        if re.search(r"\b(SELECT|INSERT|UPDATE|DELETE|CREATE)\b", text):
            found = re.search(forbidden, text)
            assert not found, f"{dotted(path)}: {found.group()} in SQL"


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_only_the_connection_and_the_migrations_name_sqlite_utils(path: Path) -> None:
    if "sqlite_utils" in path.read_text("utf-8"):
        assert path.relative_to(HOUSE).as_posix() in SQLITE_UTILS


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_nothing_swallows_every_error(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{dotted(path)}:{node.lineno}: a bare except"
            broad = ast.unparse(node.type) in ("Exception", "BaseException")
            silent = all(isinstance(inner, (ast.Pass, ast.Continue)) for inner in node.body)
            assert not (broad and silent), f"{dotted(path)}:{node.lineno}: an error disappears here"


@pytest.mark.parametrize("path", sorted((HOUSE / "commands").glob("*.py")), ids=dotted)
def test_a_command_holds_no_sql_and_catches_nothing(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Try) and path.name != "options.py":
            pytest.fail(f"{dotted(path)}:{node.lineno}: a command catches nothing")
    if path.name == "options.py":
        return
    for text in strings(path):
        assert not re.search(r"\b(SELECT .* FROM|INSERT INTO|UPDATE \w+\s+SET|DELETE FROM)\b", text, re.S), text


def test_only_the_output_prints() -> None:
    allowed = {"output.py", "cli.py", "log.py"}
    for path in modules():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "typer.echo", "typer.secho"):
                assert path.name in allowed, f"{dotted(path)}:{node.lineno} prints"
