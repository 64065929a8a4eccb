"""The same grants where sandboxes run on a cluster: a configuration for KubeSpawner or BatchSpawner.

What is mounted is what a sandbox on one machine is handed, asked at each start and told to the audit log; `volumes` and
`binds` make data of it. None of it has met a real cluster yet, and the configuration says so.
"""

from __future__ import annotations

import datetime as dt
import logging
import shutil
from typing import TYPE_CHECKING, Any, Literal

from sandbox import told
from sandbox.hub import choices
from sandbox.profile import granted_data
from sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from catalog.lab import Lab
    from sandbox.hub.settings import HubSettings

Target = Literal["kubernetes", "slurm"]

CLAIM = "datalab-lake"
"""The volume claim that holds the lab's folder, on a filesystem that all nodes read."""

LOG = logging.getLogger("datalab.cluster")

_MADE = "cluster"
_UNCHECKED = "# Not checked on a real cluster. Tests hold it to be valid, and to mount what is granted and no more."


def opened(
    lab: Lab, settings: HubSettings, user: str, options: Mapping[str, object], origin: str
) -> tuple[dict[str, Path], SandboxSettings]:
    """Where a user's sandbox sees each file → that file, and its bounds, by what was chosen; the audit log is told.

    They are those of a sandbox on one machine (data.py); what is made for it lies in var/cluster/USER. Raises
    UsageError and DeniedError as there.
    """
    choice = choices.chosen(choices.offer(lab, settings, user), options)
    bounds = lab.section("sandbox", SandboxSettings)
    if choice.size is not None:
        bounds = bounds.model_copy(update=dict(settings.sizes[choice.size]))
    today = dt.datetime.now(dt.UTC).date()
    granted, data = granted_data(
        lab, user, purpose=choice.purpose, on=today, private=True, origin=origin, warn=LOG.warning
    )
    files = {one.target: one.source for one in data.mounts} | _written(lab.var / _MADE / user, data.files)
    lab.audit.write(told.opened(user, choice.purpose, granted, data, origin))
    return files, bounds


def _written(folder: Path, files: Mapping[str, bytes]) -> dict[str, Path]:
    """Put what is made for a sandbox on the volume, in the place of what was made for an earlier one."""
    shutil.rmtree(folder, ignore_errors=True)
    made = {target: folder / target.lstrip("/") for target in files}
    for target, path in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[target])
        path.chmod(0o444)
    return made


def volumes(lab: Lab, files: Mapping[str, Path]) -> dict[str, list[dict[str, Any]]]:
    """The lake's claim, and a read-only mount of each file: `KubeSpawner.volumes` and `volume_mounts`."""
    root = lab.root.resolve()
    mounts = [
        {"name": "lake", "mountPath": inside, "subPath": str(path.resolve().relative_to(root)), "readOnly": True}
        for inside, path in sorted(files.items())
    ]
    claim = {"name": "lake", "persistentVolumeClaim": {"claimName": CLAIM, "readOnly": True}}
    return {"volumes": [claim], "volume_mounts": mounts}


def binds(files: Mapping[str, Path]) -> list[str]:
    """The same for Apptainer on a node of SLURM: `--bind SOURCE:TARGET:ro`, a word each."""
    return [f"--bind={path}:{inside}:ro" for inside, path in sorted(files.items())]


def network_policy() -> dict[str, Any]:
    """A NetworkPolicy by which a sandbox reaches the Hub, and nothing else; DNS goes by the Hub's address."""
    hub = {"podSelector": {"matchLabels": {"app": "jupyterhub", "component": "hub"}}}
    proxy = {"podSelector": {"matchLabels": {"app": "jupyterhub", "component": "proxy"}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "datalab-sandbox"},
        "spec": {
            "podSelector": {"matchLabels": {"component": "singleuser-server"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [hub, proxy], "ports": [{"protocol": "TCP", "port": 8888}]}],
            "egress": [{"to": [hub], "ports": [{"protocol": "TCP", "port": 8081}]}],
        },
    }


def config(lab: Lab, settings: HubSettings, target: Target) -> str:
    """A configuration file of JupyterHub, to be read where this product is installed beside the spawner's package."""
    return (_KUBERNETES if target == "kubernetes" else _SLURM).format(
        unchecked=_UNCHECKED,
        root=repr(str(lab.root)),
        roles=repr(dict(settings.roles)),
        sandboxes=settings.sandboxes,
    )


_COMMON = '''{unchecked}
from pathlib import Path

from catalog.lab import Lab
from sandbox.hub import cluster
from sandbox.hub.roles import roles
from sandbox.hub.settings import HubSettings, RoleSettings
from sandbox.settings import SandboxSettings

lab = Lab.open(Path({root}))
settings = lab.section("hub", HubSettings)
usual = lab.section("sandbox", SandboxSettings)


def opened(spawner):
    """What the user was granted, for the purpose that they chose: asked at each start, and told to the audit log."""
    origin = spawner.handler.request.remote_ip if spawner.handler else ""
    return cluster.opened(lab, settings, spawner.user.name, spawner.user_options, origin)


c.JupyterHub.load_roles = roles(RoleSettings(**{roles}))
c.JupyterHub.active_server_limit = {sandboxes}
c.JupyterHub.authenticator_class = "sandbox.hub.login.LocalAuthenticator"
c.Membership.lab = lab
c.Authenticator.allow_all = True
c.Authenticator.manage_groups = True
c.Authenticator.auth_refresh_age = 5
c.Authenticator.auth_refresh_strict = True
c.Authenticator.refresh_pre_spawn = True
'''

_KUBERNETES = (
    _COMMON
    + '''

async def grants(spawner):
    """Put what was granted into the pod: no grant, no mount."""
    files, size = opened(spawner)
    mounted = cluster.volumes(lab, files)
    home = {{"name": "home", "persistentVolumeClaim": {{"claimName": spawner.pvc_name}}}}
    spawner.volumes = [*mounted["volumes"], home]
    spawner.volume_mounts = [*mounted["volume_mounts"], {{"name": "home", "mountPath": "/home/lab"}}]
    spawner.mem_limit, spawner.cpu_limit = int(size.memory), size.cpus


c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.KubeSpawner.pre_spawn_hook = grants
c.KubeSpawner.image = "datalab-sandbox:0.1.0"  # the users' Python, built from deploy/sandbox-requirements.txt
c.KubeSpawner.uid = 1000
c.KubeSpawner.fs_gid = 1000
c.KubeSpawner.allow_privilege_escalation = False
c.KubeSpawner.container_security_context = {{
    "capabilities": {{"drop": ["ALL"]}},
    "runAsNonRoot": True,
    "seccompProfile": {{"type": "RuntimeDefault"}},
}}
c.KubeSpawner.automount_service_account_token = False
c.KubeSpawner.storage_pvc_ensure = True
c.KubeSpawner.storage_capacity = str(int(usual.home))
c.KubeSpawner.extra_labels = {{"component": "singleuser-server"}}
# The network policy that belongs to it: datalab hub config --target kubernetes --network-policy | kubectl apply -f -
'''
)

_SLURM = (
    _COMMON
    + '''

async def grants(spawner):
    """Put what was granted into the container's binds: no grant, no bind."""
    files, size = opened(spawner)
    spawner.req_memory = f"{{int(size.memory) // 2**20}}M"
    spawner.req_nprocs = str(max(1, round(size.cpus)))
    spawner.req_options = " ".join(cluster.binds(files))


c.JupyterHub.spawner_class = "batchspawner.SlurmSpawner"
c.SlurmSpawner.pre_spawn_hook = grants
c.SlurmSpawner.req_runtime = "12:00:00"
c.SlurmSpawner.batch_script = """#!/bin/bash
#SBATCH --job-name=datalab-{{username}}
#SBATCH --mem={{memory}}
#SBATCH --cpus-per-task={{nprocs}}
#SBATCH --time={{runtime}}
#SBATCH --export={{keepvars}}
set -euo pipefail
exec apptainer exec --containall --no-privs --net --network none {{options}} datalab-sandbox.sif {{cmd}}
"""
'''
)
