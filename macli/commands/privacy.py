"""``macli privacy``: how long things are kept, and who was erased."""

import typer

from macli.commands import options
from macli.context import Macli

app = typer.Typer(no_args_is_help=True, help="How long things are kept; contact export and contact erase do the rest.")


@app.command()
def retention(
    ctx: typer.Context, dry_run: options.DryRun = False, format: options.Format = None, json: options.Json = False
) -> None:
    """Let go what has been kept long enough; the tick does so once a day. Reports count as they did.

    How long is set with macli settings set retention.hits (visits, events, mails, removed).

    Example: macli privacy retention --dry-run
    """
    from macli.privacy import retention as kept

    macli, shape = Macli.of(ctx), options.shape(format, json)
    rows = list(kept.outlook(macli.store, macli.setting, macli.now()))
    gone = {} if dry_run else kept.purge(macli.store, macli.setting, macli.now())
    for row in rows:
        row["gone"] = gone.get(row["kind"], 0)
    columns = ("kind", "setting", "kept", "old" if dry_run else "gone")
    macli.out.rows(rows, columns=columns, shape=shape)


@app.command("forget-erased")
def forget_erased(ctx: typer.Context, yes: options.Yes = False) -> None:
    """Forget whom you erased, where the key in secrets/erasure.key is lost for good.

    Nothing is sent while the key is missing, since nobody knows then who must not be written to. After
    this macli sends again, also to people who asked to be erased, where their addresses come back: look
    through your lists first.

    Example: macli privacy forget-erased
    """
    from macli.store import suppressions

    macli = Macli.of(ctx)
    count = suppressions.hashes(macli.store)
    macli.out.confirm(f"forget {count:,} erased addresses? They could be written to again.", yes=yes)
    macli.out.say(f"forgot {suppressions.forget_hashes(macli.store):,} erased addresses")
