"""Configurations for clusters, as far as a test can hold them without one: valid, and of what is granted alone."""

from __future__ import annotations

import ast
import asyncio
import json
import types
from pathlib import Path

import pytest
import yaml
from fixtures_hub import hub_lab
from traitlets.config import Config

from policies.audit.log import AuditLog
from policies.audit.reading import told
from policies.errors import LakeError


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return hub_lab(tmp_path_factory.mktemp("cluster") / "lab")[0]


def loaded(lab, datalab, target: str) -> tuple[Config, dict]:
    """The configuration, read as JupyterHub reads one."""
    ran = datalab("hub", "config", "--target", target, lab=lab.root)
    assert ran.code == 0, ran.err
    assert "Not checked on a real cluster" in ran.out
    ast.parse(ran.out)
    names: dict = {"c": Config()}
    exec(compile(ran.out, "jupyterhub_config.py", "exec"), names)  # noqa: S102  our own
    return names["c"], names


def failing(*_):
    raise LakeError("the audit log cannot be written")


def spawner(user: str, **chosen: str) -> types.SimpleNamespace:
    return types.SimpleNamespace(
        user=types.SimpleNamespace(name=user), user_options=chosen, pvc_name=f"claim-{user}", handler=None
    )


def test_a_pod_mounts_each_granted_file_read_only_and_nothing_else_of_the_lake(lab, datalab):
    told, names = loaded(lab, datalab, "kubernetes")
    assert told.JupyterHub.spawner_class == "kubespawner.KubeSpawner"
    pod = spawner("ada")
    asyncio.run(names["grants"](pod))
    lake = [one for one in pod.volume_mounts if one["name"] == "lake"]
    files = {one["mountPath"] for one in lake}
    assert {path.split("/")[2] for path in files} == {"irve", "datasets.json"}
    assert all(one["readOnly"] for one in lake)
    (seen,) = (lab.root / one["subPath"] for one in lake if one["mountPath"] == "/data/irve/open/current.json")
    assert set(json.loads(seen.read_text())["resources"]["bornes"]) == {
        *["version", "files", "rows", "committed", "columns"]
    }
    for one in lake:
        assert (lab.root / one["subPath"]).is_file()
        assert "/raw/" not in one["mountPath"]
    with_purpose = spawner("ada", purpose="mobility")
    asyncio.run(names["grants"](with_purpose))
    shown = {one["mountPath"] for one in with_purpose.volume_mounts if one["mountPath"].startswith("/data/irve/")}
    assert {path.split("/")[3] for path in shown} == {"open", "raw"}
    assert [one["mountPath"] for one in pod.volume_mounts if one["name"] == "home"] == ["/home/lab"]
    assert (pod.mem_limit, pod.cpu_limit) == (2**30, 2.0)


def test_a_pod_has_no_capability_no_root_and_no_token_of_the_cluster(lab, datalab):
    told, _ = loaded(lab, datalab, "kubernetes")
    assert told.KubeSpawner.container_security_context["capabilities"] == {"drop": ["ALL"]}
    assert told.KubeSpawner.container_security_context["runAsNonRoot"] is True
    assert told.KubeSpawner.allow_privilege_escalation is False
    assert told.KubeSpawner.automount_service_account_token is False


def test_a_job_of_slurm_binds_the_same_files(lab, datalab):
    told, names = loaded(lab, datalab, "slurm")
    job = spawner("bob")
    asyncio.run(names["grants"](job))
    bound = dict(word.removeprefix("--bind=").removesuffix(":ro").split(":")[::-1] for word in job.req_options.split())
    assert {inside.split("/")[2] for inside in bound} == {"irve", "secret", "datasets.json"}
    assert all(Path(source).is_file() and Path(source).is_relative_to(lab.root) for source in bound.values())
    assert Path(bound["/data/secret/raw/current.json"]).parts[-4:-1] == ("data", "secret", "raw")
    script = told.SlurmSpawner.batch_script.format(
        username="bob", memory=job.req_memory, nprocs=job.req_nprocs, runtime="1", keepvars="X", options="", cmd="x"
    )
    assert "#SBATCH --mem=1024M" in script
    assert "--network none" in script


@pytest.mark.parametrize("target", ["kubernetes", "slurm"])
def test_a_start_is_a_line_of_the_audit_log_before_anything_is_mounted(lab, datalab, target, monkeypatch):
    _, names = loaded(lab, datalab, target)
    asyncio.run(names["grants"](spawner("bob")))
    last = [one.event for one in told(lab.audit.folder)][-1]
    assert (last.what, last.door, last.who) == ("open", "sandbox", "user:bob")
    assert {(one.dataset, one.edition) for one in last.editions} == {("irve", "open"), ("secret", "raw")}
    monkeypatch.setattr(AuditLog, "write", failing)
    shut = spawner("bob")
    with pytest.raises(LakeError):
        asyncio.run(names["grants"](shut))
    assert not hasattr(shut, "volume_mounts")
    assert not hasattr(shut, "req_options")


@pytest.mark.parametrize("target", ["kubernetes", "slurm"])
def test_a_choice_that_is_not_on_offer_starts_nothing_there_either(lab, datalab, target):
    _, names = loaded(lab, datalab, target)
    with pytest.raises(Exception, match="'espionage' is not on offer to you"):
        asyncio.run(names["grants"](spawner("ada", purpose="espionage")))
    with pytest.raises(Exception, match="unknown user 'nobody'"):
        asyncio.run(names["grants"](spawner("nobody")))


def test_the_network_policy_lets_a_sandbox_reach_the_hub_alone(lab, datalab):
    told = yaml.safe_load(datalab("hub", "config", "--target", "kubernetes", "--network-policy", lab=lab.root).out)
    assert told["kind"] == "NetworkPolicy"
    spec = told["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["egress"] == [
        {
            "to": [{"podSelector": {"matchLabels": {"app": "jupyterhub", "component": "hub"}}}],
            "ports": [{"protocol": "TCP", "port": 8081}],
        }
    ]
