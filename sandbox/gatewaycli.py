"""`datalab gateway` serves SQL to those outside; `datalab token …` makes what they say who they are with."""

from __future__ import annotations

import datetime as dt  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from catalog.lab import Lab
    from policies.audit.event import Event

app = typer.Typer()
tokens = typer.Typer(help="Tokens by which programs ask the SQL gateway.", no_args_is_help=True)
app.add_typer(tokens, name="token")

_DAY = typer.Option(formats=["%Y-%m-%d"], help="The first day on which it no longer holds; in 90 days if not said.")
_DAYS = 90


@app.command("gateway")
def gateway_command(
    context: typer.Context,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="The port on 127.0.0.1; 0 takes a free one.", show_default="[gateway] port"
        ),
    ] = None,
) -> None:
    """Serve SQL over HTTP on granted editions only, each query in a jail; Ctrl-C stops it.

    POST /sql asks; /data/DATASET/EDITION/RESOURCE is a table as Parquet, /rows after it its rows. See /openapi.json.
    """
    from catalog.web.serve import serve_app  # noqa: PLC0415  heavy; every command loads this file
    from policies.errors import SandboxError  # noqa: PLC0415
    from sandbox.process import unusable  # noqa: PLC0415
    from sandbox.sql.app import create_app  # noqa: PLC0415
    from sandbox.sql.settings import GatewaySettings  # noqa: PLC0415

    lab = _lab(context)
    reason = unusable()
    if reason is not None:
        raise SandboxError(reason)
    settings = lab.section("gateway", GatewaySettings)
    serve_app(
        create_app(lab), settings.port if port is None else port, lambda url: typer.echo(f"{url}  (Ctrl-C stops)")
    )


@tokens.command("create")
def create_command(
    context: typer.Context,
    user: Annotated[str, typer.Argument(help="Whose it is; users stand in datalab.toml.")],
    until: Annotated[dt.datetime | None, _DAY] = None,
    purpose: Annotated[
        str | None, typer.Option(help="The only purpose it is for; any that grants name if not said.")
    ] = None,
) -> None:
    """Make a token and print it. It is shown this once: only a digest of it is kept."""
    from sandbox.sql.tokens import Tokens  # noqa: PLC0415

    last = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=_DAYS) if until is None else until.date()
    lab = _lab(context)
    token = Tokens(lab).create(user, last, purpose)
    lab.audit.write(_event(user, f"made, until {last}", purpose))
    typer.echo(token)


@tokens.command("list")
def list_command(context: typer.Context) -> None:
    """List the tokens: whose, for what, until when."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from sandbox.sql.tokens import Tokens  # noqa: PLC0415

    sheet = Table("id", "user", "purpose", "made", "until")
    today = dt.datetime.now(dt.UTC).date()
    for token in Tokens(_lab(context)).all():
        ended = " (ended)" if token.until <= today else ""
        sheet.add_row(token.id, token.user, token.purpose or "any", str(token.created.date()), f"{token.until}{ended}")
    Console().print(sheet)


@tokens.command("revoke")
def revoke_command(
    context: typer.Context, name: Annotated[str, typer.Argument(metavar="ID", help="As `datalab token list` says it.")]
) -> None:
    """End a token at once."""
    from sandbox.sql.tokens import Tokens  # noqa: PLC0415

    lab = _lab(context)
    gone = Tokens(lab).revoke(name)
    lab.audit.write(_event(gone.user, f"revoked {gone.id}", gone.purpose))
    typer.echo(f"{gone.id} of {gone.user} is revoked")


def _event(user: str, what: str, purpose: str | None) -> Event:
    from policies.audit.event import Event  # noqa: PLC0415
    from policies.audit.origin import terminal  # noqa: PLC0415

    return Event(what="token", door="cli", who=f"user:{user}", origin=terminal(), purpose=purpose, reason=what)


def _lab(context: typer.Context) -> Lab:
    lab: Lab = context.obj()
    return lab
