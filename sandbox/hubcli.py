"""`datalab serve`, the whole lab behind a login; `datalab user …`, who may come in; `datalab hub config`, at scale."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from catalog.lab import Lab
    from policies.audit.event import Event


class Target(StrEnum):
    """Where sandboxes run at scale."""

    kubernetes = "kubernetes"
    slurm = "slurm"


app = typer.Typer()
users = typer.Typer(help="Local accounts: who may sign in at `datalab serve`.", no_args_is_help=True)
app.add_typer(users, name="user")

hub = typer.Typer(help="The front door on a cluster.", no_args_is_help=True)
app.add_typer(hub, name="hub")

Name = Annotated[str, typer.Argument(metavar="NAME", help="a-z, 0-9, '.', '_' and '-', a letter first.")]


@app.command("serve")
def serve_command(
    context: typer.Context,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="0 takes any free port.", show_default="[hub] port, or [catalog] port"),
    ] = None,
) -> None:
    """Serve the whole lab on this machine until Ctrl-C: portal, gateway, logins, and sandboxes for who is signed in.

    Sandboxes that run stay when it ends, and are found again when it starts.
    """
    from sandbox.hub.serve import serve  # noqa: PLC0415  heavy; every command loads this file

    serve(_lab(context), port, lambda url: typer.echo(f"{url}  (Ctrl-C stops)"))


@users.command("add")
def add_command(
    context: typer.Context,
    name: Name,
    group: Annotated[
        list[str] | None, typer.Option(help="A group of theirs; may be given more than once.", show_default=False)
    ] = None,
) -> None:
    """Make an account and print its first password, which is changed at the first login. It is shown this once."""
    from sandbox.hub import accounts  # noqa: PLC0415

    lab = _lab(context)
    password = accounts.add(lab, name, tuple(group or ()))
    lab.audit.write(_event(name, f"account made; groups: {', '.join(group or ()) or 'none'}"))
    typer.echo(password)


@users.command("list")
def list_command(context: typer.Context) -> None:
    """List the users, their groups, where these stand, and how each signs in."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    people = _lab(context).people
    declared, accounts = people.settings().users, people.accounts()
    sheet = Table("user", "groups", "groups stand in", "signs in")
    for name, groups in sorted(people.users().items()):
        account = accounts.get(name)
        how: str = "cannot" if account is None else account.login
        if account is not None and account.login == "local" and account.first:
            how = "local, with a first password"
        sheet.add_row(name, ", ".join(groups), "datalab.toml" if name in declared else "the register", how)
    Console().print(sheet)


@users.command("passwd")
def passwd_command(context: typer.Context, name: Name) -> None:
    """Give an account a new first password, and print it; whoever is signed in with the old one is signed out."""
    from sandbox.hub import accounts  # noqa: PLC0415

    lab = _lab(context)
    password = accounts.renew(lab, name)
    lab.audit.write(_event(name, "new first password"))
    typer.echo(password)


@users.command("remove")
def remove_command(context: typer.Context, name: Name) -> None:
    """Take an account away: nobody signs in with it any more. The home stays, and so does what datalab.toml says."""
    from sandbox.hub import accounts  # noqa: PLC0415

    lab = _lab(context)
    accounts.remove(lab, name)
    lab.audit.write(_event(name, "account removed"))
    typer.echo(f"{name} has no account any more")


@hub.command("config")
def config_command(
    context: typer.Context,
    target: Annotated[Target, typer.Option(help="Where sandboxes are to run.")],
    *,
    network_policy: Annotated[
        bool, typer.Option("--network-policy", help="Print the NetworkPolicy of Kubernetes instead, as YAML.")
    ] = False,
) -> None:
    """Print a JupyterHub configuration by which a cluster's sandboxes see what is granted. Unchecked on a real one."""
    import yaml  # noqa: PLC0415

    from sandbox.hub import cluster  # noqa: PLC0415
    from sandbox.hub.settings import HubSettings  # noqa: PLC0415

    lab = _lab(context)
    if network_policy:
        typer.echo(yaml.safe_dump(cluster.network_policy(), sort_keys=False), nl=False)
    else:
        typer.echo(cluster.config(lab, lab.section("hub", HubSettings), target.value), nl=False)


def _event(name: str, what: str) -> Event:
    from policies.audit.event import Event  # noqa: PLC0415
    from policies.audit.origin import account, terminal  # noqa: PLC0415

    return Event(what="account", door="cli", who=account(), to=f"user:{name}", origin=terminal(), reason=what)


def _lab(context: typer.Context) -> Lab:
    lab: Lab = context.obj()
    return lab
