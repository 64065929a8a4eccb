"""`datalab audit …`: look at what was opened, and whether the log of it is whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Sheet
from rich.text import Text

from catalog.policycli import day_of
from policies.audit.chain import TOKEN
from policies.audit.reading import concerns, told
from policies.audit.verify import verify
from policies.errors import LakeError, UsageError
from policies.keys import AUDIT_VARIABLE
from policies.wording import count_of

if TYPE_CHECKING:
    from catalog.lab import Lab
    from policies.audit.event import Event
    from policies.audit.reading import Told

app = typer.Typer()
audit = typer.Typer(help="Look at what was opened, by whom and for what.", no_args_is_help=True)
app.add_typer(audit, name="audit")

_NAMED = 3


@audit.command("verify")
def verify_command(
    ctx: typer.Context,
    anchors: Annotated[
        list[str] | None,
        typer.Option("--anchor", metavar="N-HEX", help="One that was printed before, and kept elsewhere; several may."),
    ] = None,
) -> None:
    """Find any edit, deletion, reorder, insertion or truncation of the log; exits with 1 where there is one.

    Prints the anchor of the last line: kept off this machine, it shows later that the whole log was put back or written
    anew, which nothing on the machine can.
    """
    lab: Lab = ctx.obj()
    for token in anchors or ():
        if TOKEN.match(token) is None:
            raise UsageError(f"--anchor {token}: expected N-HEX, as `datalab audit verify` prints it")
    folder = lab.audit.folder
    if not folder.exists() and lab.audit_key_path.exists():
        raise LakeError(f"{folder}: the log is gone, and its key is there: restore it from the backup")
    if not folder.exists() and not anchors:
        typer.echo("nothing was opened yet: there is no log")
        return
    found = verify(folder, lab.audit_key(), anchors or ())
    for note in found.notes:
        typer.echo(f"note: {note}", err=True)
    if found.wrong:
        what_to_do = (
            f"compare with the backup of {folder}. To go on, move the folder away and keep it; a new log begins. "
            f"If all is wrong, the key may be another one: {lab.audit_key_path}, or {AUDIT_VARIABLE}"
        )
        raise LakeError("\n".join([*found.wrong, what_to_do]))
    typer.echo(f"{count_of(found.lines, 'line')} in {count_of(found.files, 'file')}, nothing wrong")
    if found.anchor is not None:
        typer.echo(f"keep this elsewhere: {found.anchor}")


@audit.command("show")
def show_command(
    ctx: typer.Context,
    user: Annotated[str | None, typer.Option(help="By or to this user, principal or account.")] = None,
    dataset: Annotated[str | None, typer.Option(help="DATASET, or DATASET/EDITION.")] = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="From that day of UTC on: 2026-03-01.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="All of it, one JSON document a line.")] = False,
) -> None:
    """Show who opened what, for what and from where, the oldest first."""
    lab: Lab = ctx.obj()
    day = None if since is None else day_of(since, "--since")
    found = (
        one
        for one in told(lab.audit.folder)
        if concerns(one.event, user=user, dataset=dataset) and (day is None or one.at.date() >= day)
    )
    if as_json:
        for one in found:
            event = one.event.model_dump(mode="json", exclude_defaults=True)
            typer.echo(json.dumps({"n": one.n, "at": one.at.isoformat(), **event}, ensure_ascii=False))
        return
    Console().print(audit_table(list(found)))


def audit_table(found: list[Told]) -> Sheet:
    """One line an event."""
    sheet = Sheet(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("when (UTC)", "who", "what", "door"):
        sheet.add_column(heading, no_wrap=True)
    sheet.add_column("editions", overflow="fold")
    sheet.add_column("about", overflow="fold")
    for one in found:
        event = one.event
        cells = (f"{one.at:%Y-%m-%d %H:%M:%S}", event.who, event.what, event.door, _editions(event), _about(event))
        sheet.add_row(*(Text(printable(cell)) for cell in cells))
    return sheet


def printable(text: str) -> str:
    """The text without what would move a terminal's cursor: a stranger chose it."""
    return "".join(sign if sign.isprintable() else "�" for sign in text)


def _editions(event: Event) -> str:
    shown = ", ".join(map(str, event.editions[:_NAMED]))
    more = len(event.editions) - _NAMED
    return shown if more <= 0 else f"{shown} and {more} more"


def _about(event: Event) -> str:
    known = {
        "to": event.to,
        "purpose": event.purpose,
        "for": event.purposes,
        "until": event.until,
        "request": event.number,
        "rows": event.rows,
        "bytes": event.bytes,
        "from": event.origin,
        "why": event.reason,
    }
    return "; ".join(f"{name}: {value}" for name, value in known.items() if value is not None)
