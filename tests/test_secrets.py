"""Secrets stay where they are: the store and every output know their references only."""

import pytest

from macli.errors import OperationFailed, UsageError
from macli.secrets import Secret, keep


def test_a_secret_is_read_when_it_is_used(monkeypatch, tmp_path) -> None:
    secret = Secret("env:SMTP_PASSWORD", tmp_path)
    monkeypatch.setenv("SMTP_PASSWORD", "hunter2")
    assert secret.reveal() == "hunter2"
    monkeypatch.setenv("SMTP_PASSWORD", "changed")
    assert secret.reveal() == "changed"


def test_a_secret_shows_its_reference_only(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "hunter2")
    secret = Secret("env:SMTP_PASSWORD", tmp_path)
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"


@pytest.mark.parametrize("literal", ["hunter2", "env:", "env:not a name", "vault:x", "keyring:lonely", ""])
def test_what_is_no_reference_is_refused_without_being_repeated(literal, tmp_path) -> None:
    with pytest.raises(UsageError) as refused:
        Secret(literal, tmp_path)
    assert refused.value.hint
    if literal:
        assert literal not in str(refused.value)


def test_a_variable_that_is_not_set_says_so(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    with pytest.raises(OperationFailed, match="NOT_SET is not set"):
        Secret("env:NOT_SET", tmp_path).reveal()


def test_a_kept_secret_is_its_owners_alone_and_out_of_version_control(tmp_path) -> None:
    reference = keep(tmp_path, "local.password", "hunter2")
    assert reference == "file:secrets/local.password"
    assert Secret(reference, tmp_path).reveal() == "hunter2"
    assert (tmp_path / "secrets/local.password").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "secrets/.gitignore").read_text() == "*\n"
    assert Secret(reference, tmp_path).exposed() is None


def test_keeping_a_secret_again_replaces_it(tmp_path) -> None:
    keep(tmp_path, "a", "old")
    assert Secret(keep(tmp_path, "a", "new"), tmp_path).reveal() == "new"


@pytest.mark.parametrize("name", ["../escape", "a/b", "..", ".hidden", "name with spaces"])
def test_a_kept_secret_never_leaves_its_folder(name, tmp_path) -> None:
    reference = keep(tmp_path, f"{name}.token", "x")
    assert (tmp_path / reference.removeprefix("file:")).resolve().parent == tmp_path / "secrets"


def test_a_file_everybody_can_read_is_warned_of(tmp_path) -> None:
    path = tmp_path / "password"
    path.write_text("hunter2\n")
    path.chmod(0o644)
    secret = Secret("file:password", tmp_path)
    assert secret.reveal() == "hunter2"
    assert "chmod 600" in (secret.exposed() or "")


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_file_that_is_missing_or_empty_says_so(content, tmp_path) -> None:
    if content is not None:
        (tmp_path / "password").write_text(content)
    with pytest.raises(OperationFailed, match="no secret in"):
        Secret("file:password", tmp_path).reveal()


def test_a_secret_in_a_keyring(monkeypatch, tmp_path) -> None:
    keyring = pytest.importorskip("keyring")
    monkeypatch.setattr(
        keyring, "get_password", lambda service, name: {"macli/smtp": "hunter2"}.get(f"{service}/{name}")
    )
    assert Secret("keyring:macli/smtp", tmp_path).reveal() == "hunter2"
    with pytest.raises(OperationFailed, match="macli/other"):
        Secret("keyring:macli/other", tmp_path).reveal()
