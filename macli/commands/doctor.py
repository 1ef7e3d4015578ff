"""``macli doctor``: what is missing or wrong in the workspace, or with a sending domain, and what to type."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from macli import doctor
from macli.commands import options
from macli.context import Macli

if TYPE_CHECKING:
    from macli.doctor.finding import Finding

app = typer.Typer(invoke_without_command=True)


@app.callback()
def command(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """Say what is missing or wrong, and what to type; exit 1 if something is wrong.

    Example: macli doctor
    """
    if ctx.invoked_subcommand is None:
        macli = Macli.of(ctx)
        _show(macli, doctor.examine(macli), "type", options.shape(format, json))


@app.command("domain")
def domain(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[DOMAIN]", help="Of the sender, unless given.")] = None,
    selector: Annotated[
        list[str] | None,
        typer.Option("--selector", metavar="NAME", help="A DKIM selector; more than one may be given."),
    ] = None,
    message: Annotated[
        Path | None,
        typer.Option("--message", metavar="FILE", exists=True, dir_okay=False, help="A mail of yours as it arrived."),
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", metavar="HOST", help="Who sends, where it is not the provider's host.")
    ] = None,
    resolver: Annotated[
        str | None, typer.Option("--resolver", metavar="HOST:PORT", help="Ask this DNS server, not the machine's.")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, max=60.0, help="Seconds for each question.")] = 5.0,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Check what receivers check of a sending domain – SPF, DKIM, DMARC, MX, PTR, TLS – and say what to add.

    What nobody answered is "not verified", never ok. Exit 1 if something is wrong, 4 if something is
    not verified.

    Example: macli doctor domain example.com --selector s1
    """
    from macli.doctor import domain as domain_doctor
    from macli.doctor.asking import Dns

    macli = Macli.of(ctx)
    findings = domain_doctor.examine(
        macli, name, dns=Dns(resolver, timeout=timeout), selectors=selector or (), sample=message, host=host
    )
    _show(macli, findings, "add", options.shape(format, json))


def _show(macli: Macli, findings: "Iterable[Finding]", last: str, shape: str | None) -> None:
    """Print the findings, their hint under the name ``last``; exit as they say."""
    rows = [dataclasses.asdict(finding) for finding in findings]
    named = [{**{key: row[key] for key in ("check", "verdict", "said")}, last: row["type"]} for row in rows]
    macli.out.rows(named, columns=("check", "verdict", "said", last), shape=shape)
    verdicts = {row["verdict"] for row in rows}
    if "fail" in verdicts:
        raise typer.Exit(1)
    if "not verified" in verdicts:
        raise typer.Exit(4)
