"""The store: its migrations, its transactions, its identity, its upkeep, its categories."""

import gc
import shutil
import sqlite3
import weakref
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from conftest import Run

from macli.colors import read_color
from macli.errors import OperationFailed, UsageError
from macli.store import Store, categories, identity, migrations, open_store, settings, upkeep


def schema(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%migrations%' AND sql IS NOT NULL"
        )
        return dict(rows.fetchall())


@pytest.mark.parametrize("upto", range(len(migrations.NAMES) + 1))
def test_a_store_from_every_earlier_version_becomes_todays(tmp_path: Path, upto: int) -> None:
    old, fresh = tmp_path / "old.db", tmp_path / "fresh.db"
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        migrations.migrate(connection, upto=upto)
    open_store(old).close()
    open_store(fresh, create=True).close()
    assert schema(old) == schema(fresh)


def of_the_first_version(path: Path) -> None:
    """A store as the first version left it: contacts who said something, channels under numbers of their own."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrations.migrate(connection, upto=1)
        connection.executescript(
            """
            INSERT INTO contacts (id, email, added_at, updated_at) VALUES (7, 'a@example.com', 1, 1), (9, NULL, 1, 1);
            INSERT INTO consents (id, contact_id, channel, topic, status, source, evidence, changed_at) VALUES
              (3, 7, 'email', '', 'granted', 'form', '{"ip": "192.0.2.1"}', 10),
              (5, 9, 'sms', 'news', 'withdrawn', 'cli', '{}', 20);
            INSERT INTO channels (id, name, name_key, kind, created_at) VALUES
              (4, 'Mail', 'mail', 'email', 1), (8, 'webhook', 'webhook', 'webhook', 2);
            """
        )


def test_the_event_that_says_a_basket_was_bought_is_the_purchase_of_everything(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as connection:
        migrations.migrate(connection, upto=2)
        connection.execute("INSERT INTO settings (key, value, updated_at) VALUES ('baskets.purchase', 'shop.sold', 1)")
    with open_store(tmp_path / "old.db") as store:
        assert settings.get(store, "purchases.event") == "shop.sold"


def test_what_the_first_version_stored_is_there_under_its_numbers_and_in_the_log(tmp_path: Path) -> None:
    of_the_first_version(tmp_path / "old.db")
    with open_store(tmp_path / "old.db") as store:
        said = "contact_id, channel, topic, status, source, evidence"
        logged = [tuple(row) for row in store.rows(f"SELECT {said}, basis, said_at FROM consent_log ORDER BY id")]
        assert logged == [
            (7, "email", "", "granted", "form", '{"ip": "192.0.2.1"}', "consent", 10),
            (9, "sms", "news", "withdrawn", "cli", "{}", "consent", 20),
        ]
        held = store.rows(f"SELECT {said}, basis, changed_at FROM consents ORDER BY id")
        assert [tuple(row) for row in held] == logged
        channels = {row["name"]: (row["id"], row["kind"]) for row in store.rows("SELECT * FROM channels")}
        assert channels == {"Mail": (4, "email"), "webhook": (8, "webhook"), "push": (9, "push")}
        for view in store.rows("SELECT name FROM sqlite_master WHERE type = 'view'"):
            store.rows(f"SELECT * FROM {view['name']}")
        assert upkeep.damage(store) == []


def test_a_migration_that_breaks_off_leaves_the_store_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from macli.store.migrations import m002_responses

    of_the_first_version(tmp_path / "old.db")
    before, whole = schema(tmp_path / "old.db"), list(m002_responses.statements())
    for place in range(1, len(whole), 5):
        with monkeypatch.context() as patch:
            patch.setattr(m002_responses, "statements", lambda place=place: [*whole[:place], "SELECT broken"])
            with pytest.raises(sqlite3.OperationalError):
                open_store(tmp_path / "old.db")
        assert schema(tmp_path / "old.db") == before
    with open_store(tmp_path / "old.db") as store:
        assert store.value("SELECT count(*) FROM consent_log") == 2
        assert upkeep.damage(store) == []


def test_a_migration_is_applied_once(tmp_path: Path) -> None:
    for _ in range(2):
        with open_store(tmp_path / "macli.db", create=True) as store:
            assert store.value("PRAGMA user_version") == len(migrations.NAMES)


def test_a_store_of_a_later_macli_is_left_alone(tmp_path: Path) -> None:
    with open_store(tmp_path / "macli.db", create=True) as store:
        store.connection.execute("PRAGMA user_version = 999")
    with pytest.raises(OperationFailed, match="written by a later macli"):
        open_store(tmp_path / "macli.db")


def test_every_table_is_strict_and_every_reference_is_declared(store: Store) -> None:
    ours = [
        row
        for row in store.rows("PRAGMA table_list")
        if row["type"] == "table" and not row["name"].startswith(("sqlite_", "_sqlite"))
    ]
    assert [row["name"] for row in ours if not row["strict"]] == []
    for table in (row["name"] for row in ours):
        declared = {row["from"] for row in store.rows(f"PRAGMA foreign_key_list({table})")}
        columns = {row["name"] for row in store.rows(f"PRAGMA table_info({table})")}
        assert {column for column in columns if column.endswith("_id")} - declared <= {"external_id", "source_id"}


def test_people_read_times_as_text_in_the_views(store: Store) -> None:
    with store.write():
        store.execute(
            "INSERT INTO contacts (email, added_at, updated_at) VALUES ('ann@example.com', :at, :at)",
            {"at": 1_772_625_600_000},
        )
    assert store.value("SELECT added_at FROM contacts_iso") == "2026-03-04T12:00:00.000Z"


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    def fails() -> None:
        with store.write(), store.write():
            store.execute("INSERT INTO tags (name) VALUES ('A')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert store.value("SELECT count(*) FROM tags") == 0


# Identity


def test_a_store_at_home_is_not_doubted(store: Store) -> None:
    identity.check(store)
    identity.advance(store)
    identity.check(store)
    assert identity.generation(store) == 2


def test_a_restored_backup_is_noticed_and_its_campaigns_wait_after_adoption(
    store: Store, now: datetime, tmp_path: Path
) -> None:
    identity.check(store)
    with store.write():
        for name, state in (("a", "active"), ("b", "scheduled"), ("c", "draft")):
            store.execute(
                "INSERT INTO campaigns (name, name_key, state, created_at, updated_at)"
                " VALUES (:name, :name, :state, 1, 1)",
                {"name": name, "state": state},
            )
    upkeep.backup(store, tmp_path / "backup.db")
    identity.advance(store)
    identity.advance(store)
    path = store.path
    store.close()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", path)
    with open_store(path) as restored:
        with pytest.raises(OperationFailed, match="a restored backup") as caught:
            identity.check(restored)
        assert "macli store adopt" in (caught.value.hint or "")
        assert identity.adopt(restored, now) == ["a", "b"]
        identity.check(restored)
        states = dict(restored.rows("SELECT name, state FROM campaigns"))
        assert states == {"a": "paused", "b": "paused", "c": "draft"}
        assert identity.generation(restored) > 3


def test_a_store_moved_with_its_sidecar_goes_on_after_adoption(store: Store, now: datetime, tmp_path: Path) -> None:
    identity.check(store)
    with store.write():
        store.execute(
            "INSERT INTO campaigns (name, name_key, state, created_at, updated_at) VALUES ('a', 'a', 'active', 1, 1)"
        )
    store.close()
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("macli.db", "macli.db.machine"):
        shutil.move(tmp_path / name, moved / name)
    with open_store(moved / "macli.db") as store:
        with pytest.raises(OperationFailed, match="moved or copied"):
            identity.check(store)
        assert identity.adopt(store, now) == []
        identity.check(store)


def test_a_store_copied_without_its_sidecar_is_doubted_even_in_its_place(store: Store) -> None:
    identity.check(store)
    store.path.with_name("macli.db.machine").unlink()
    with pytest.raises(OperationFailed, match="put here from elsewhere"):
        identity.check(store)


def test_a_rolled_back_generation_is_no_restored_backup(store: Store) -> None:
    identity.check(store)

    def fails() -> None:
        with store.write():
            identity.advance(store)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    identity.check(store)
    with store.write():
        identity.advance(store)
    identity.check(store)


def test_the_commands_find_and_adopt_a_copied_workspace(
    macli: Run, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(workspace, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    assert macli("doctor").code == 1
    assert macli("store", "adopt").code == 2
    assert macli("store", "adopt", "--yes").out == "the store is at home here now\n"
    assert macli("doctor").code == 0


# Upkeep


def test_a_backup_is_whole_and_replaces_only_when_complete(macli: Run, workspace: Path, tmp_path: Path) -> None:
    macli("category", "create", "Spring")
    assert macli("store", "backup", str(tmp_path / "backup.db")).code == 0
    with open_store(tmp_path / "backup.db") as copy:
        assert [row["name"] for row in categories.list_all(copy)] == ["Spring"]
        assert upkeep.damage(copy) == []
    assert macli("store", "backup", "macli.db").code == 2
    assert macli("store", "backup", "nowhere/backup.db").code == 2


def test_a_damaged_store_is_found(macli: Run, workspace: Path) -> None:
    macli("store", "vacuum")
    file = workspace / "macli.db"
    content = bytearray(file.read_bytes())
    content[8192:16384] = b"\xff" * 8192
    file.write_bytes(content)
    ran = macli("store", "check")
    assert ran.code == 1
    assert "damaged" in ran.err


def test_store_info_and_vacuum_tell_sizes(macli: Run, workspace: Path) -> None:
    assert "this machine" in macli("store", "info").out
    assert macli("store", "vacuum").out.startswith("gave back ")
    assert macli("store", "check").out == "the store is whole\n"


# Categories


@pytest.mark.parametrize(
    ("text", "color"), [("teal", "teal"), ("#0AF", "#00aaff"), (" #00AAFF ", "#00aaff"), ("Tomato", "tomato")]
)
def test_a_colour_is_a_css_name_or_hexadecimal(text: str, color: str) -> None:
    assert read_color(text) == color


def test_a_bad_colour_makes_no_category(macli: Run, workspace: Path) -> None:
    ran = macli("category", "create", "Email Promotions", "--color", "tael")
    assert ran.code == 2
    assert "did you mean 'teal'" in ran.err
    assert macli("category", "list", "--json").out == "[]\n"


def test_a_category_name_is_taken_whatever_its_case(store: Store, now: datetime) -> None:
    categories.create(store, now, "Email Promotions", "teal")
    with pytest.raises(UsageError, match="there is a category"):
        categories.create(store, now, "EMAIL  promotions")


def test_a_used_category_is_removed_only_with_somewhere_for_its_things_to_go(store: Store, now: datetime) -> None:
    spring = categories.create(store, now, "Spring")
    other = categories.create(store, now, "Other")
    with store.write():
        store.execute(
            "INSERT INTO segments (name, name_key, kind, category_id, created_at, updated_at)"
            " VALUES ('vip', 'vip', 'static', :category, 1, 1)",
            {"category": spring},
        )
    with pytest.raises(OperationFailed, match="in use: 1 segment"):
        categories.remove(store, "Spring")
    with pytest.raises(UsageError):
        categories.remove(store, "Spring", reassign="Spring")
    assert categories.remove(store, "spring", reassign="Other") == 1
    assert store.value("SELECT category_id FROM segments") == other


def test_a_category_is_edited_and_shown(macli: Run, workspace: Path) -> None:
    macli("category", "create", "Spring", "--color", "teal")
    assert macli("category", "edit", "spring", "--rename", "Summer", "--color", "#FA0").code == 0
    assert "#ffaa00" in macli("category", "show", "Summer").out
    assert macli("category", "edit", "Summer", "--color", "").code == 0
    assert "#ffaa00" not in macli("category", "list").out


# Doctor


def test_the_doctor_of_a_fresh_workspace_warns_and_fails_nothing(macli: Run, workspace: Path) -> None:
    ran = macli("doctor")
    assert ran.code == 0, ran.out
    assert "macli settings set sender.email news@example.com" in ran.out


def test_the_doctor_names_a_secret_that_cannot_be_read(macli: Run, workspace: Path, now: datetime) -> None:
    with open_store(workspace / "macli.db") as store, store.write():
        store.execute(
            "INSERT INTO providers (name, name_key, kind, settings, created_at, updated_at)"
            " VALUES ('local', 'local', 'smtp', '{\"password\": \"env:NO_SUCH_SECRET\"}', 1, 1)"
        )
    ran = macli("doctor", "--format", "csv")
    assert ran.code == 1
    assert "provider local,fail," in ran.out
    assert "NO_SUCH_SECRET is not set" in ran.out


def test_a_store_nobody_has_any_more_gives_its_connection_back(tmp_path: Path) -> None:
    store = open_store(tmp_path / "macli.db", create=True)
    assert store.value("SELECT address_hash('email', 'ann@example.com')") is None
    connection = weakref.ref(store.connection)
    del store
    gc.collect()
    assert connection() is None
