"""``macli doctor``: what is missing or wrong, and what to type."""

import dataclasses

import typer

from macli import doctor
from macli.commands import options
from macli.context import Macli


def command(ctx: typer.Context, format: options.Format = None, json: options.Json = False) -> None:
    """Say what is missing or wrong, and what to type; exit 1 if something is wrong.

    Example: macli doctor
    """
    macli = Macli.of(ctx)
    findings = [dataclasses.asdict(finding) for finding in doctor.examine(macli)]
    macli.out.rows(findings, columns=("check", "verdict", "said", "type"), shape=options.shape(format, json))
    if any(finding["verdict"] == "fail" for finding in findings):
        raise typer.Exit(1)
