"""The commands of this room: `datalab query`, `portal`, `dcat`, `schema`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from catalog import query
from catalog.entries import EVERYONE, entries
from catalog.feed import feed
from catalog.history import at
from catalog.output import Format, write
from catalog.reads import reads
from catalog.schema import Document, json_schema
from catalog.settings import CatalogSettings
from catalog.web.serve import serve
from policies.audit.event import Event, sha256_of
from policies.audit.origin import terminal
from policies.errors import DatalabError, QueryError, UsageError

if TYPE_CHECKING:
    from catalog.lab import Lab

app = typer.Typer()


@app.command("query")
def query_command(
    ctx: typer.Context,
    sql: Annotated[
        str, typer.Argument(help="One SELECT, on views like communes.communes, or a file of one: queries/x.sql.")
    ],
    as_: Annotated[
        str, typer.Option("--as", metavar="PRINCIPAL", help="everyone, user:NAME, group:NAME, or a user's NAME.")
    ] = "everyone",
    purpose: Annotated[str | None, typer.Option(help="What for: some grants hold for one purpose only.")] = None,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="A version (3), a day (2026-03-01) or a moment of UTC.", show_default="now"),
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="table for a person; the others write every row.")
    ] = Format.table,
) -> None:
    """Ask the lake in SQL, as a principal who sees the editions granted to it and nothing else."""
    lab: Lab = ctx.obj()
    sql = _saved(sql)
    absent: list[UsageError] = []
    when = None if as_of is None else at(as_of)
    principals = lab.principals(as_)
    con = query.connect(lab, principals, purpose=purpose, as_of=when, absent=absent.append)
    asked = Event(
        what="query",
        door="cli",
        who=as_ if as_ == "everyone" or ":" in as_ else f"user:{as_}",
        editions=reads(lab.granted(principals, purpose=purpose), sql),
        purpose=purpose,
        origin=terminal(),
        reason=None if as_of is None else f"as of {as_of}",
        sha256=sha256_of(sql),
    )
    lab.audit.write(asked)
    rows = None
    try:
        rows = write(query.select(con, sql), form, sys.stdout.buffer, Console())
    except QueryError as error:
        of_query = [one for one in map(str, absent) if one.partition("@")[0] in sql]
        raise QueryError("\n".join(of_query or [str(error)])) from None
    finally:
        # Not the error's text: it may quote a value
        told = {"what": "answer", "rows": rows, "reason": "failed" if rows is None else None}
        lab.audit.write(asked.model_copy(update=told))


def _saved(sql: str) -> str:
    """What was asked, or what stands in the file that was named."""
    if not sql.endswith(".sql"):
        return sql
    try:
        return Path(sql).read_text(encoding="utf-8").strip().removesuffix(";")
    except OSError as error:
        what = f"cannot be read: {error.strerror}; expected one SELECT, or the path of a file of one"
        raise UsageError(f"{sql}: {what}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{sql}: is no UTF-8 text ({error}); save it as UTF-8") from None


@app.command("portal")
def portal_command(
    ctx: typer.Context,
    port: Annotated[
        int | None, typer.Option(help="0 takes any free port.", show_default="the one of datalab.toml")
    ] = None,
) -> None:
    """Show what everyone may see on this machine until Ctrl-C: datasets, previews, downloads, DCAT at /catalog.ttl.

    Without logins and sandboxes, which `datalab serve` has.
    """
    serve(ctx.obj(), port, lambda url: typer.echo(f"{url}  (Ctrl-C stops)"))


@app.command("dcat")
def dcat_command(
    ctx: typer.Context,
    form: Annotated[str, typer.Option("--format", help="turtle or json-ld.")] = "turtle",
) -> None:
    """Print the DCAT-AP 3 catalogue of what everyone may see."""
    if form not in {"turtle", "json-ld"}:
        message = f"unknown format {form!r}; expected turtle or json-ld"
        raise typer.BadParameter(message)
    lab: Lab = ctx.obj()
    left_out: list[DatalabError] = []
    shown = entries(lab, EVERYONE, left_out.append)
    told = feed(lab.section("catalog", CatalogSettings), shown, "ttl" if form == "turtle" else "jsonld")
    for piece in told:
        sys.stdout.buffer.write(piece)
    if left_out:
        raise DatalabError("\n".join(str(error) for error in left_out))


@app.command("schema")
def schema_command(
    what: Annotated[Document, typer.Argument(help="dataset for descriptors, policy for policies.")],
) -> None:
    """Print the JSON Schema of what stewards write, so that an editor can complete and check it."""
    typer.echo(json.dumps(json_schema(what), indent=2, ensure_ascii=False))
