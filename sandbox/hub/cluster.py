"""The same grants where sandboxes run on a cluster: a configuration for KubeSpawner or BatchSpawner.

What is mounted is asked of `granted()` at each start, as everywhere; `volumes` and `binds` make data of it. None of
it has met a real cluster yet, and the configuration says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from catalog.lake import POINTER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from catalog.lab import Granted, Lab
    from sandbox.hub.settings import HubSettings

Target = Literal["kubernetes", "slurm"]

CLAIM = "datalab-lake"
"""The volume claim that holds the lab's folder, on a filesystem that all nodes read."""

_UNCHECKED = "# Not checked on a real cluster. Tests hold it to be valid, and to mount what is granted and no more."


def files_of(lab: Lab, granted: Iterable[Granted]) -> dict[str, str]:
    """Where a sandbox sees each file → its path below the lab's folder: the pointers, and the files that they name."""
    found: dict[str, str] = {}
    for one in granted:
        edition = one.path.resolve().relative_to(lab.root)
        inside = f"/data/{one.dataset}/{one.edition}"
        found[f"{inside}/{POINTER}"] = f"{edition}/{POINTER}"
        for resource, served in one.current.resources.items():
            for file in served.files:
                found[f"{inside}/{resource}/{file}"] = f"{edition}/{resource}/{file}"
    return found


def volumes(lab: Lab, granted: Iterable[Granted]) -> dict[str, list[dict[str, Any]]]:
    """The lake's claim, and a read-only mount of each granted file: `KubeSpawner.volumes` and `volume_mounts`."""
    mounts = [
        {"name": "lake", "mountPath": inside, "subPath": path, "readOnly": True}
        for inside, path in sorted(files_of(lab, granted).items())
    ]
    claim = {"name": "lake", "persistentVolumeClaim": {"claimName": CLAIM, "readOnly": True}}
    return {"volumes": [claim], "volume_mounts": mounts}


def binds(lab: Lab, granted: Iterable[Granted]) -> list[str]:
    """The same for Apptainer on a node of SLURM: `--bind SOURCE:TARGET:ro`, a word each."""
    return [f"--bind={lab.root / path}:{inside}:ro" for inside, path in sorted(files_of(lab, granted).items())]


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
from sandbox.hub import choices, cluster
from sandbox.hub.roles import roles
from sandbox.hub.settings import HubSettings, RoleSettings, Size
from sandbox.settings import SandboxSettings

lab = Lab.open(Path({root}))
settings = lab.section("hub", HubSettings)
usual = lab.section("sandbox", SandboxSettings)


def granted(spawner):
    """What the user was granted, for the purpose that they chose: asked at each start."""
    offer = choices.offer(lab, settings, spawner.user.name)
    choice = choices.chosen(offer, spawner.user_options)
    size = settings.sizes.get(choice.size) or Size(memory=usual.memory, cpus=usual.cpus, pids=usual.pids)
    return lab.granted(lab.people.of_user(spawner.user.name), purpose=choice.purpose), size


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
    found, size = granted(spawner)
    mounted = cluster.volumes(lab, found)
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
    found, size = granted(spawner)
    spawner.req_memory = f"{{int(size.memory) // 2**20}}M"
    spawner.req_nprocs = str(max(1, round(size.cpus)))
    spawner.req_options = " ".join(cluster.binds(lab, found))


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
