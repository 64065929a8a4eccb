"""Every door leaves its line: who, which editions in which version, for what, from where."""

from __future__ import annotations

import json
import shutil

import pytest
from fixtures_sandbox import make_lab, profile_for
from starlette.testclient import TestClient
from typer.testing import CliRunner

import datalab as command
from catalog.lab import Lab
from catalog.reads import reads
from catalog.web.app import create_app
from ingest.run import ingest
from ingest.verdict import accept, refuse
from policies.audit.event import sha256_of
from policies.audit.origin import terminal
from policies.audit.reading import told
from policies.audit.verify import verify
from policies.errors import DeniedError, LakeError
from policies.keys import audit_key

OPEN = {"open": {"t": {"keep": ["code", "nom"]}}}
EVERYONE = frozenset({"everyone"})


@pytest.fixture
def jeu(folder):
    for slug in ("jeu", "autre"):
        folder.table(slug, "code;nom\n01;été\n2A;x\n", name=f"{slug}.csv")
        raw = {"to": "group:stewards", "edition": "raw", "until": "2999-01-01"}
        folder.grant(slug, OPEN, {"to": "everyone", "edition": "open"}, raw)
        list(ingest(folder.lab, slug, lambda _: None))
    return folder


def events(folder) -> list[dict]:
    """All but the grants that the first door tells of."""
    found = [one.event for one in told(folder.root / "var/audit") if one.event.what != "policy"]
    return [event.model_dump(mode="json", exclude_defaults=True) for event in found]


def run(folder, *words: str) -> tuple[str, str]:
    """What a command prints, and its error's text; in this process, for starting another takes longer than the work."""
    ran = CliRunner().invoke(command.app, ["--lab", str(folder.root), *words], env={"COLUMNS": "200"})
    return ran.output, str(ran.exception or "")


def opened(dataset: str, edition: str, version: int = 0) -> dict:
    return {"dataset": dataset, "edition": edition, "resource": "t", "version": version}


def test_a_query_is_told_before_it_is_answered_with_the_editions_it_reads(jeu, datalab):
    sql = "SELECT nom FROM jeu.t -- not autre"
    assert datalab("query", sql, "--purpose", "étude\n{}", "--format", "csv").code == 0
    event = {
        "what": "query",
        "door": "cli",
        "who": "everyone",
        "editions": [opened("jeu", "open")],
        "purpose": "étude\n{}",
        "origin": terminal(),
        "sha256": sha256_of(sql),
    }
    assert events(jeu) == [event, {**event, "what": "answer", "rows": 2}]
    run(jeu, "query", "SELECT * FROM jeu.t", "--as", "steward")
    assert [event["who"] for event in events(jeu) if event["what"] == "query"] == ["everyone", "user:steward"]
    assert all("été" not in path.read_text() for path in (jeu.root / "var/audit").iterdir())


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        ("SELECT 1", []),
        ("SELECT 'jeu.t'", []),
        ("FROM jeu.t", ["jeu/open"]),
        ('SELECT * FROM "jeu@open".t, autre.t', ["autre/open", "jeu/open"]),
        ("WITH t AS (SELECT 1) SELECT * FROM t", []),
        ("WITH t0 AS (SELECT 1), t1 AS (SELECT 2) SELECT * FROM t0, jeu.t", ["jeu/open"]),
        ("SELECT * FROM query('FROM jeu.t')", ["jeu/open"]),
        ("SELECT count(*) FROM query('FROM j' || 'eu.t')", ["autre/open", "jeu/open"]),  # it might be any
        ("SELECT (SELECT max(code) FROM jeu.t) FROM autre.t", ["autre/open", "jeu/open"]),
        ("SELECT rien FROM jeu.t", []),
        ("FROM jeu.t; FROM autre.t", []),
        ("DROP TABLE jeu.t", []),
        ("SELEKT", []),
    ],
)
def test_the_tables_that_a_query_reads_are_the_engines_own_word(jeu, sql, read):
    lab = jeu.lab
    assert [f"{one.dataset}/{one.edition}" for one in reads(lab.granted(EVERYONE), sql)] == read


def test_of_several_editions_the_plain_name_is_the_most_detailed(jeu):
    lab = jeu.lab
    (one,) = reads(lab.granted(lab.principals("steward")), "FROM jeu.t")
    assert (one.edition, one.resource, one.version) == ("raw", "t", 0)


def test_a_query_that_cannot_be_told_is_not_answered(jeu, datalab):
    (jeu.root / "var/audit").write_text("in the way")
    ran = datalab("query", "SELECT * FROM jeu.t", "--format", "csv")
    assert (ran.code, ran.out) == (1, "")
    assert "the audit log cannot be written" in ran.err
    assert "so nothing was opened" in ran.err


def test_a_query_that_fails_is_told_without_the_engines_words(jeu):
    said = run(jeu, "query", "SELECT CAST(nom AS INTEGER) FROM jeu.t")[1]
    assert "été" in said
    query, answer = events(jeu)
    assert (query["editions"], answer["what"], answer["reason"]) == ([opened("jeu", "open")], "answer", "failed")
    assert "été" not in "".join(path.read_text() for path in (jeu.root / "var/audit").iterdir())


def test_a_download_is_told_and_a_part_of_one_too_and_nothing_that_opens_nothing(jeu):
    client = TestClient(create_app(jeu.lab))
    address = "/data/jeu/open/t.csv"
    answer = client.get(address)
    assert answer.status_code == 200
    client.get(address, headers={"Range": "bytes=5-"})
    client.get(address, headers={"If-None-Match": answer.headers["ETag"]})
    client.head(address)
    client.get("/data/jeu/raw/t.csv")
    client.get("/datasets/jeu")
    told_of = {"what": "open", "door": "portal", "who": "everyone", "editions": [opened("jeu", "open")]}
    assert events(jeu) == [{**told_of, "rows": 2}, told_of]


def test_a_download_that_cannot_be_told_is_not_served(jeu):
    lab = jeu.lab
    lab.audit.sync = lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    answer = TestClient(create_app(lab)).get("/data/jeu/open/t.csv")
    assert answer.status_code == 503
    assert "été" not in answer.text


def test_a_sandbox_is_told_with_what_is_mounted_and_for_which_purpose(tmp_path):
    lab = make_lab(tmp_path / "lab")
    profile_for(lab, "true", purpose="étude")
    (one,) = [one.event for one in told(lab.audit.folder) if one.event.what != "policy"]
    assert (one.what, one.door, one.who, one.purpose, one.origin) == (
        "open",
        "sandbox",
        "user:ada",
        "étude",
        terminal(),
    )
    assert {(edition.dataset, edition.edition, edition.version) for edition in one.editions} == {("irve", "open", 0)}


def test_who_is_granted_nothing_in_a_sandbox_leaves_a_line_that_says_why(tmp_path):
    lab = make_lab(tmp_path / "lab")
    shutil.rmtree(lab.root / "policies")
    with pytest.raises(DeniedError):
        profile_for(lab, "true")
    (one,) = [one.event for one in told(lab.audit.folder) if one.event.what != "policy"]
    assert (one.what, one.who, one.editions) == ("deny", "user:ada", ())
    assert one.reason.startswith("ada is granted nothing that holds data today")


def test_a_sandbox_that_cannot_be_told_is_not_made(tmp_path):
    lab = make_lab(tmp_path / "lab")
    (lab.var / "audit").write_text("in the way")
    with pytest.raises(LakeError, match="so nothing was opened"):
        profile_for(lab, "true")


@pytest.mark.parametrize("verdict", ["accept", "refuse"])
def test_a_word_on_what_was_held_is_told(jeu, verdict):
    jeu.table("jeu", "code\n01\n", name="jeu.csv")
    jeu.grant("jeu", {}, {"to": "group:stewards", "edition": "raw", "until": "2999-01-01"})
    list(ingest(jeu.lab, "jeu", lambda _: None))
    if verdict == "accept":
        list(accept(jeu.lab, "jeu", by="agnès", why="v2", say=lambda _: None))
    else:
        refuse(jeu.lab, "jeu", by="agnès", why="v2")
    (event,) = events(jeu)
    editions = [{"dataset": "jeu", "edition": "raw", "resource": "t"}]
    said = {"who": "agnès", "origin": terminal(), "reason": "v2", "editions": editions}
    assert event == {"what": verdict, "door": "ingest", **said}


def test_what_ckan_is_told_of_is_told_before_it_is_written(published):
    published.run(dry_run=True)
    assert events(published.folder) == []
    published.run()
    published.run()
    (event,) = events(published.folder)
    assert (event["what"], event["door"], event["origin"]) == ("publish", "ckan", terminal())
    assert {(one["dataset"], one["edition"]) for one in event["editions"]} == {("communes", "open"), ("bornes", "open")}
    assert event["reason"].endswith("4 created, 0 updated, 0 unchanged, 0 deleted")


def test_the_log_is_shown_by_user_dataset_and_day(jeu):
    run(jeu, "query", "SELECT * FROM jeu.t", "--purpose", "\x1b[2Jeau")
    run(jeu, "query", "SELECT * FROM autre.t", "--as", "steward")
    shown, _ = run(jeu, "audit", "show", "--user", "steward")
    assert ("autre/raw.t v0" in shown, "jeu" in shown) == (True, False)
    assert "\x1b[2J" not in run(jeu, "audit", "show")[0]
    lines = run(jeu, "audit", "show", "--dataset", "jeu/open", "--json")[0].splitlines()
    assert [json.loads(line).get("purpose") for line in lines] == [None, "\x1b[2Jeau", "\x1b[2Jeau"]
    assert run(jeu, "audit", "show", "--since", "2999-01-01", "--json") == ("", "")
    assert "expected a day, like 2026-03-01" in run(jeu, "audit", "show", "--since", "hier")[1]


def test_verify_says_that_all_is_whole_and_what_to_keep_and_names_what_is_not(jeu, datalab):
    assert "nothing was opened yet" in run(jeu, "audit", "verify")[0]
    run(jeu, "query", "SELECT * FROM jeu.t")
    said, _ = run(jeu, "audit", "verify")
    assert "nothing wrong" in said
    assert run(jeu, "audit", "verify", "--anchor", said.split()[-1]) == (said, "")
    assert "expected N-HEX" in run(jeu, "audit", "verify", "--anchor", "x")[1]
    (path,) = (jeu.root / "var/audit").glob("*.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"everyone"', b'"nobody--"'))
    ran = datalab("audit", "verify")
    assert ran.code == 1
    assert f"{path}:1: was changed, or was not written with this key" in ran.err
    shutil.rmtree(jeu.root / "var/audit")
    assert "the log is gone, and its key is there" in run(jeu, "audit", "verify")[1]


def test_the_doors_of_one_lab_write_one_chain(jeu):
    client = TestClient(create_app(jeu.lab))
    for _ in range(3):
        client.get("/data/jeu/open/t.csv")
        run(jeu, "query", "SELECT 1")
    lab = Lab.open(jeu.root)
    found = verify(lab.audit.folder, audit_key(lab.audit_key_path))
    assert found.wrong == []
    assert found.lines >= 6
