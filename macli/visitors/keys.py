"""The tracker's key: what a company's own servers show, and prove with whose browser it is."""

import secrets as random
from pathlib import Path

from macli.errors import UsageError
from macli.secrets import FOLDER, Secret, keep

NAME = "tracker.key"
REFERENCE = f"file:{FOLDER}/{NAME}"


def read(workspace: Path) -> str | None:
    """The key; None where none was made. Raises OperationFailed where its file does not read."""
    secret = Secret(REFERENCE, workspace)
    return secret.reveal() if secret.path.exists() else None


def make(workspace: Path, *, anew: bool = False) -> bool:
    """Make the key in a file only its owner can read; False where there is one, which stays unless ``anew``."""
    if Secret(REFERENCE, workspace).path.exists() and not anew:
        return False
    keep(workspace, NAME, random.token_urlsafe(32))
    return True


def shown(key: str | None, authorization: str) -> bool:
    """Whether an Authorization header shows the key. Raises UsageError where it shows another."""
    if not authorization:
        return False
    scheme, _, given = authorization.partition(" ")
    expected = (key or "").encode()
    same = random.compare_digest(given.strip().encode("utf-8", "replace"), expected)
    if scheme.lower() != "bearer" or not expected or not same:
        raise UsageError("this is not the tracker's key", hint="Authorization: Bearer KEY, of macli tracker key")
    return True
