"""Signed tokens: what a link, a return path or a page carries so that nobody can make one up.

The keys are lines of a file only its owner can read, the newest last: what an older key signed
still opens after a rotation. The store never holds a key.
"""

import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

from macli.errors import OperationFailed, UsageError

KEY_FILE = Path("secrets") / "signing.key"
_KEY_OCTETS = 32
_TAG_OCTETS = 12
"""96 bits: a forger who tries a million tokens a second needs longer than the universe is old."""
_PLACES = {"follow": 0, "act": 12}
"""What a message's token is good for, and where in the signature its own part begins."""
_ALPHABET = "0123456789abcdef"

Mac = blake2b
"""A keyed hash, to be copied and fed."""


@dataclass(frozen=True, slots=True)
class MessageTokens:
    """The three tokens of one send.

    ``follow`` opens and clicks and is in every link; ``act`` unsubscribes and changes preferences;
    ``bounce`` is for a return path, where letters may lose their case. None can be made of another.
    """

    follow: str
    act: str
    bounce: str


class Keyring:
    """The signing keys of a workspace, oldest first; the last one signs."""

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        if not keys:
            raise UsageError("no signing key")
        self._keys = keys
        # Keyed BLAKE2 (RFC 7693) is a MAC by itself: 0.6 µs a signature, where an HMAC takes 2 to 4.
        self._macs = tuple(blake2b(key=key, digest_size=32) for key in keys)

    def message(self, send_id: int) -> MessageTokens:
        """The tokens of a send. One signature serves all three: measured, 2 µs a message."""
        number = f"{send_id:x}"
        signed = _sign(self._macs[-1], number)
        tags = urlsafe_b64encode(signed[:24]).decode("ascii")
        return MessageTokens(f"{number}.{tags[:16]}", f"{number}.{tags[16:]}", f"{number}-{signed[24:].hex()}")

    def follow(self, token: str) -> int | None:
        """The send a ``follow`` token is of; None for what nobody here signed."""
        return self._send(token, "follow")

    def act(self, token: str) -> int | None:
        """The send an ``act`` token is of; None for what nobody here signed."""
        return self._send(token, "act")

    def bounce(self, token: str) -> int | None:
        """The send a return path's token is of; None for what nobody here signed."""
        number, dash, tag = token.lower().partition("-")
        if not dash or not _is_number(number):
            return None
        for key in reversed(self._macs):
            if _same(_sign(key, number)[24:].hex(), tag):
                return int(number, 16)
        return None

    def personal(self, follow: str, url: str) -> str:
        """The token of a link that is one contact's own: it holds the address, signed for that message."""
        octets = url.encode()
        tag = self._personal_tag(self._macs[-1], follow, octets)
        return f"{urlsafe_b64encode(octets).decode('ascii').rstrip('=')}.{tag}"

    def open_personal(self, follow: str, token: str) -> str | None:
        """The address in a ``personal`` token of the same message; None for what nobody here signed."""
        text, dot, tag = token.partition(".")
        try:
            octets = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            url = octets.decode()
        except ValueError:
            return None
        if dot and any(_same(self._personal_tag(key, follow, octets), tag) for key in reversed(self._macs)):
            return url
        return None

    def _personal_tag(self, key: Mac, follow: str, octets: bytes) -> str:
        signed = _mac(key, b"personal " + follow.encode("utf-8", "replace") + b" " + octets)
        return urlsafe_b64encode(signed[:_TAG_OCTETS]).decode("ascii")

    def digest(self, purpose: str, text: str) -> bytes:
        """32 octets that stand for ``text`` and tell nobody of it; the same after a rotation."""
        return _mac(self._macs[0], f"digest {purpose} {text}".encode())

    def seal(self, purpose: str, value: Any) -> str:
        """A token that holds ``value`` (plain JSON values), good for ``purpose`` only."""
        return str(self._serializer(purpose).dumps(value))

    def open(self, purpose: str, token: str) -> Any:
        """What a token holds; None for what nobody here signed for that purpose."""
        from itsdangerous import BadData

        try:
            return self._serializer(purpose).loads(token)
        except BadData:
            return None

    def _send(self, token: str, use: str) -> int | None:
        number, dot, tag = token.partition(".")
        if not dot or not _is_number(number):
            return None
        at = _PLACES[use]
        for key in reversed(self._macs):
            expected = urlsafe_b64encode(_sign(key, number)[at : at + _TAG_OCTETS]).decode("ascii")
            if _same(expected, tag):
                return int(number, 16)
        return None

    def _serializer(self, purpose: str) -> Any:
        from itsdangerous import URLSafeSerializer

        return URLSafeSerializer(
            list(self._keys),
            salt=f"macli {purpose}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": sha256},
        )


def keyring(workspace: Path) -> Keyring:
    """The signing keys of the workspace at that path; the first is made when it is first asked for."""
    file = workspace / KEY_FILE
    if not file.exists():
        _first(file)
    try:
        lines = file.read_text("ascii").split("\n")
        keys = tuple(bytes.fromhex(line.split()[-1]) for line in lines if line.strip())
    except (OSError, ValueError) as error:
        raise OperationFailed(
            f"{file} does not hold signing keys: {error}", hint="restore it from a backup: links in sent mail need it"
        ) from None
    if not keys or any(not _KEY_OCTETS <= len(key) <= blake2b.MAX_KEY_SIZE for key in keys):
        raise OperationFailed(f"{file} holds no signing key", hint="restore it from a backup")
    return Keyring(keys)


def rotate(workspace: Path) -> int:
    """Add a key that signs from now on; how many there are. What older ones signed still opens."""
    kept = keyring(workspace)._keys
    file = workspace / KEY_FILE
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    _write(fresh, "".join(f"{key.hex()}\n" for key in (*kept, secrets.token_bytes(_KEY_OCTETS))))
    fresh.replace(file)
    return len(kept) + 1


def _first(file: Path) -> None:
    """Make the key file; of several processes that try at once, one wins and all read its key."""
    file.parent.mkdir(mode=0o700, exist_ok=True)
    fresh = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    _write(fresh, secrets.token_hex(_KEY_OCTETS) + "\n")
    try:
        os.link(fresh, file)
    except FileExistsError:
        pass  # another process was first, and its key is the one
    finally:
        fresh.unlink(missing_ok=True)


def _write(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())


def _sign(key: Mac, number: str) -> bytes:
    return _mac(key, b"message " + number.encode("ascii"))


def _mac(key: Mac, octets: bytes) -> bytes:
    mac = key.copy()
    mac.update(octets)
    return mac.digest()


def _same(expected: str, given: str) -> bool:
    return secrets.compare_digest(expected.encode("ascii"), given.encode("utf-8", "replace"))


def _is_number(text: str) -> bool:
    return 0 < len(text) <= 13 and all(character in _ALPHABET for character in text)
