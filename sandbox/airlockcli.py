"""`datalab airlock …`: what users want to take out of their sandboxes, and a steward's word on it."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from catalog.lab import Lab
    from sandbox.airlock.speaker import Speaker
    from sandbox.airlock.submission import Submission, Word

app = typer.Typer()
airlock = typer.Typer(help="What leaves a sandbox: taken, checked, reviewed, released.", no_args_is_help=True)
app.add_typer(airlock, name="airlock")

Number = Annotated[int, typer.Argument(metavar="N", min=1, help="The submission's number.")]
Why = Annotated[str, typer.Option(help="Why; the requester reads it, and it stands in the audit log.")]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who says so.", show_default="your account")]
As = Annotated[str, typer.Option("--as", metavar="USER", help="Whose file it is.")]


@airlock.command("collect")
def collect_command(context: typer.Context) -> None:
    """Take what lies in the users' outboxes, and check it."""
    from sandbox.airlock.collect import collect  # noqa: PLC0415  every `datalab` command loads this file

    found = collect(_lab(context), _warn)
    for one in found:
        typer.echo(_line(one))
    if not found:
        typer.echo("nothing new in the outboxes")


@airlock.command("list")
def list_command(
    context: typer.Context,
    *,
    whole: Annotated[bool, typer.Option("--all", help="Also what was released, refused or withdrawn.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line.")] = False,
) -> None:
    """List what waits for a steward, once the outboxes are empty."""
    from rich.console import Console  # noqa: PLC0415

    from sandbox.airlock.collect import collect  # noqa: PLC0415
    from sandbox.airlock.shown import listed  # noqa: PLC0415
    from sandbox.airlock.store import Submissions  # noqa: PLC0415
    from sandbox.airlock.submission import CLOSED  # noqa: PLC0415

    lab = _lab(context)
    collect(lab, _warn)
    found = [one for one in Submissions.of(lab).all() if whole or one.state not in CLOSED]
    if as_json:
        for one in found:
            typer.echo(one.model_dump_json())
    elif not found:
        typer.echo("nothing waits in the airlock")
    else:
        Console().print(listed(found))


@airlock.command("show")
def show_command(context: typer.Context, number: Number) -> None:
    """Show a file as its reviewer reads it: the checks, what it may be made of, and earlier releases side by side."""
    from rich.console import Console  # noqa: PLC0415

    from sandbox.airlock.shown import shown  # noqa: PLC0415
    from sandbox.airlock.store import Submissions  # noqa: PLC0415

    store = Submissions.of(_lab(context))
    one = store.one(number)
    copy = store.copy(number)
    place = store.released(one) if one.state == "released" else copy
    Console().print(shown(one, str(place) if place.exists() else "no longer kept", store.related(one)))


@airlock.command("approve")
def approve_command(
    context: typer.Context,
    number: Number,
    why: Why,
    despite: Annotated[
        list[str] | None, typer.Option(metavar="CHECK", help="A check that found something; again for each.")
    ] = None,
    by: By = None,
) -> None:
    """Approve a file; the last approval that is needed releases it."""
    from sandbox.airlock.review import approve  # noqa: PLC0415
    from sandbox.airlock.store import Submissions  # noqa: PLC0415

    lab = _lab(context)
    one = approve(lab, number, by=_speaker(by), why=why, despite=tuple(despite or ()), warn=_warn)
    typer.echo(_line(one))
    if (one.state, one.direction) == ("released", "out"):
        typer.echo(Submissions.of(lab).released(one))


@airlock.command("admit")
def admit_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file; a copy of it is taken now.")],
    user: Annotated[str, typer.Option("--for", metavar="USER", help="Whose sandboxes it is for.")],
    why: Why,
    by: By = None,
) -> None:
    """Ask that a file is let into a user's sandboxes; another person approves it, and it lies in ~/inbox then."""
    from sandbox.airlock.admit import admit  # noqa: PLC0415

    typer.echo(_line(admit(_lab(context), file, user, by=_speaker(by), why=why)))


@airlock.command("refuse")
def refuse_command(context: typer.Context, number: Number, why: Why, by: By = None) -> None:
    """Refuse a file; its copy is deleted."""
    _speak(context, number, "refuse", by, why)


@airlock.command("ask")
def ask_command(context: typer.Context, number: Number, why: Why, by: By = None) -> None:
    """Ask the requester something; nothing is decided until they answer."""
    _speak(context, number, "ask", by, why)


@airlock.command("answer")
def answer_command(context: typer.Context, number: Number, as_: As, why: Why) -> None:
    """Answer a steward's question on one's own file."""
    _speak(context, number, "answer", as_, why)


@airlock.command("withdraw")
def withdraw_command(context: typer.Context, number: Number, as_: As, why: Why = "no longer needed") -> None:
    """Take back one's own file; its copy is deleted."""
    _speak(context, number, "withdraw", as_, why)


def _speak(context: typer.Context, number: int, word: Word, by: str | None, why: str) -> None:
    from sandbox.airlock.review import speak  # noqa: PLC0415

    typer.echo(_line(speak(_lab(context), number, word, by=_speaker(by), why=why, warn=_warn)))


def _speaker(by: str | None) -> Speaker:
    from policies.audit.origin import account  # noqa: PLC0415
    from sandbox.airlock.speaker import Speaker  # noqa: PLC0415

    return Speaker.here(by or account())


def _line(one: Submission) -> str:
    of = f", {len(one.approvals())} of {one.needed} approvals" if one.state == "in review" else ""
    found = sorted({f"{found.check} ({found.severity})" for found in one.findings if found.severity != "note"})
    looks = f"; found: {', '.join(found)}" if found and one.state not in ("refused", "withdrawn") else ""
    whose = f"of {one.user}" if one.direction == "out" else f"for {one.user}"
    return f"{one.number}: {one.name} {whose} is {one.state}{of}{looks}"


def _lab(context: typer.Context) -> Lab:
    lab: Lab = context.obj()
    return lab


def _warn(message: str) -> None:
    typer.echo(f"warning: {message}", err=True)
