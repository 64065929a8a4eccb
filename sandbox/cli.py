"""`datalab sandbox …`: run a command, a notebook or JupyterLab where only granted editions are seen.

The rooms' heavier modules are imported by the command that needs them: every `datalab` command loads this file.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from catalog.lab import Lab

app = typer.Typer(
    name="sandbox", help="Run a command, a notebook or JupyterLab on granted editions only.", no_args_is_help=True
)

User = Annotated[str, typer.Option("--user", help="The user whose grants count; users stand in datalab.toml.")]
Purpose = Annotated[str | None, typer.Option("--purpose", help="What the data are used for; grants may demand it.")]


@app.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def exec_command(
    context: typer.Context,
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="The command and its arguments, after --.")],
    user: User,
    purpose: Purpose = None,
) -> None:
    """Run a command in the jail, and exit with its exit code. Granted tables are at /data/DATASET/EDITION/RESOURCE/."""
    from sandbox.command import execute  # noqa: PLC0415

    raise typer.Exit(execute(_lab(context), user, tuple(command), purpose=purpose, warn=_warn))


@app.command("run")
def run_command(
    context: typer.Context,
    notebook: Annotated[Path, typer.Argument(help="The notebook to execute.")],
    user: User,
    purpose: Purpose = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the executed copy goes; else var/runs/USER/NAME.executed.ipynb in the lab."),
    ] = None,
    *,
    show: Annotated[bool, typer.Option("--show", help="Print what its cells said.")] = False,
) -> None:
    """Execute a notebook in the jail and write the executed copy. `import lab` there gives the granted tables."""
    from sandbox.notebook import run_notebook, text_of  # noqa: PLC0415

    copy = run_notebook(_lab(context), notebook, user, purpose=purpose, out=out, warn=_warn)
    if show:
        typer.echo(text_of(copy))
    typer.echo(copy)


@app.command("lab")
def lab_command(
    context: typer.Context,
    user: User,
    purpose: Purpose = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port on 127.0.0.1; 0 takes a free one.")] = 0,
) -> None:
    """Start JupyterLab in the jail and print its URL; Ctrl-C stops it, and everything in it."""
    from sandbox.server import serve_lab  # noqa: PLC0415

    serve_lab(_lab(context), user, purpose=purpose, port=port, ready=typer.echo, warn=_warn)


@app.command("homes")
def homes_command(context: typer.Context) -> None:
    """List the users' homes: how full they are, and when a sandbox last started in each."""
    from rich.console import Console  # noqa: PLC0415
    from rich.filesize import decimal  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from sandbox.homes import states  # noqa: PLC0415

    sheet = Table("user", "used", "of", "last used (UTC)")
    for home in states(_lab(context)):
        last = "never" if home.last is None else f"{home.last:%Y-%m-%d %H:%M}"
        sheet.add_row(home.user, decimal(home.used), "no size" if home.size is None else decimal(home.size), last)
    Console().print(sheet)


def _lab(context: typer.Context) -> Lab:
    lab: Lab = context.obj()
    return lab


def _warn(message: str) -> None:
    typer.echo(f"warning: {message}", err=True)
