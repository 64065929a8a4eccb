"""`lab.table(…, as_of=…)`, `lab.cite` and `lab.replay`, on a folder laid out as the jail lays it out."""

from __future__ import annotations

import dataclasses
import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fixtures_sandbox import commit, run
from test_sandbox_lab import load  # noqa: F401  the fixture

from catalog.lake import ServedColumn
from sandbox import past

IDS = "SELECT id FROM irve.bornes"


@pytest.fixture
def aged(lab):
    """The open edition of `irve` with three snapshots: a and b, then a, then a, b and c."""
    commit(lab, "irve", "open", ["a"], geometry=False)
    commit(lab, "irve", "open", ["a", "b", "c"], geometry=False)
    return lab


def ids(relation):
    return sorted(row[0] for row in relation.project("id").fetchall())


def test_a_table_is_read_as_it_was_at_a_version_a_day_or_a_moment(aged, load):  # noqa: F811
    notebook = load(aged)
    assert ids(notebook.table("irve.bornes", as_of=0)) == ["a", "b"]
    assert ids(notebook.table("irve@open.bornes", as_of=1)) == ["a"]
    assert ids(notebook.table("irve.bornes", as_of="2999-01-01")) == ["a", "b", "c"]
    assert ids(notebook.table("irve.bornes")) == ["a", "b", "c"]
    with pytest.raises(
        LookupError, match=r"irve\.bornes: no snapshot of 2020-01-01 can be read here; what can be: version 2 \("
    ):
        notebook.table("irve.bornes", as_of="2020-01-01")
    with pytest.raises(ValueError, match="'hier' is no moment; expected a version"):
        notebook.table("irve.bornes", as_of="hier")


def test_the_snapshots_that_can_be_read_are_listed(aged, load):  # noqa: F811
    told = load(aged).versions("irve.bornes").project("version, rows, columns").fetchall()
    assert told == [(2, 3, ["id"]), (1, 1, ["id"]), (0, 2, ["id"])]


def test_the_folder_of_a_table_is_still_one_snapshot(aged, load):  # noqa: F811
    load(aged).datasets()
    folder = sys.modules["lab_in_a_notebook.engine"].DATA / "irve" / "open" / "bornes"  # where the jail has it
    assert len(list(folder.rglob("*.parquet"))) == 1


def test_what_another_policy_made_is_not_handed_in(aged, load):  # noqa: F811
    policy = aged.root / "policies" / "irve.yaml"
    policy.write_text(policy.read_text().replace("keep: [id]", "keep: [id], where: \"id <> 'b'\""))
    commit(aged, "irve", "open", ["a", "c"], geometry=False)
    assert load(aged).versions("irve.bornes").project("version").fetchall() == [(3,)]


def test_a_moment_at_which_another_policy_served_is_not_answered_by_an_older_snapshot(lab, load):  # noqa: F811
    path = lab.root / "policies" / "irve.yaml"
    first = path.read_text()
    path.write_text(first.replace("keep: [id]", "keep: [id], where: \"id <> 'b'\""))
    commit(lab, "irve", "open", ["a"], geometry=False)
    path.write_text(first)
    commit(lab, "irve", "open", ["a", "b", "c"], geometry=False)
    notebook = load(lab)
    assert notebook.versions("irve.bornes").project("version").fetchall() == [(2,)]
    with pytest.raises(LookupError, match="no snapshot of 0 can be read here"):
        notebook.table("irve.bornes", as_of=0)


def test_the_columns_of_a_version_are_named_whatever_signs_they_have(lab, load):  # noqa: F811
    name = """l'id "deux\""""
    staged = lab.lake.stage("secret", "raw", "bornes", lambda path: pq.write_table(pa.table({name: ["s"]}), path))
    lab.lake.commit("secret", "raw", {"bornes": (staged, (ServedColumn(name=name, type="VARCHAR"),), {})})
    assert load(lab, user="bob").versions("secret.bornes").project("columns").fetchall() == [
        ([name],),
        (["id", "geo"],),
    ]


@pytest.mark.parametrize("query", [f"{IDS};", f"{IDS} -- all of them", f"  {IDS} ;  ", f"{IDS} /* all */"])
def test_a_query_may_end_as_people_end_it(aged, load, query):  # noqa: F811
    notebook = load(aged)
    told = notebook.cite(query)
    assert told.sha256 == notebook.cite(IDS).sha256
    assert ids(notebook.replay(told)) == ["a", "b", "c"]


def test_of_many_snapshots_the_newest_of_every_table_are_handed_in_first(lab, load, monkeypatch):  # noqa: F811
    for number in range(6):
        commit(lab, "irve", "open", [str(number)], geometry=False)
        commit(lab, "irve", "raw", [str(number)], geometry=False)
    monkeypatch.setattr(past, "MOST_FILES", 5)
    notebook = load(lab, purpose="mobility")
    assert [row[0] for row in notebook.versions("irve@open.bornes").fetchall()] == [6, 5, 4, 3]
    assert [row[0] for row in notebook.versions("irve@raw.bornes").fetchall()] == [6, 5, 4]


def test_a_citation_names_the_snapshot_its_licence_and_what_was_asked(aged, load):  # noqa: F811
    told = load(aged).cite(IDS)
    (table,) = told.tables
    assert {key: table[key] for key in ("name", "dataset", "edition", "resource", "version", "licence")} == {
        "name": "irve.bornes",
        "dataset": "irve",
        "edition": "open",
        "resource": "bornes",
        "version": 2,
        "licence": "LO-2.0",
    }
    assert told.rows == 3
    shown = str(told)
    assert "Région, « Bornes de recharge » (bornes, édition open), version 2 du 20" in shown
    assert "http://127.0.0.1:8420/datasets/irve, licence LO-2.0, SHA-256 " in shown
    assert "lignes : 3," in shown
    english = told.text("en")
    assert "version 2 of 20" in english
    assert "rows: 3, hash" in english
    assert "  note = {bornes, edition open, licence LO-2.0, SHA-256 " in told.bibtex()


def test_share_alike_follows_a_join(aged, load):  # noqa: F811
    path = aged.root / "datasets" / "irve.yaml"
    path.write_text(path.read_text().replace("LO-2.0", "ODbL-1.0"))
    assert "Ce qui en est tiré se partage à l'identique (ODbL-1.0)." in str(load(aged).cite(IDS))


def test_what_was_cited_comes_again_when_the_table_has_gone_on(aged, load, tmp_path):  # noqa: F811
    told = load(aged).cite(f"{IDS} ORDER BY id")
    told.save(tmp_path / "figure.json")
    commit(aged, "irve", "open", ["z"], geometry=False)
    for folder in (tmp_path / "data").iterdir():
        (tmp_path / "before").mkdir(exist_ok=True)
        folder.rename(tmp_path / "before" / folder.name)
    (tmp_path / "data").rmdir()
    notebook = load(aged)
    assert notebook.sql(IDS).fetchall() == [("z",)]
    assert notebook.replay(notebook.Citation.read(tmp_path / "figure.json")).fetchall() == [("a",), ("b",), ("c",)]
    assert ids(notebook.replay(tmp_path / "figure.json")) == ["a", "b", "c"]


def test_a_hash_does_not_depend_on_the_order_of_rows_and_depends_on_all_else(aged, load):  # noqa: F811
    notebook = load(aged)
    told = notebook.cite(f"{IDS} ORDER BY id")
    assert notebook.cite(f"{IDS} ORDER BY id DESC").sha256 == told.sha256
    others = [f"{IDS} WHERE id <> 'c'", "SELECT id AS other FROM irve.bornes", f"{IDS} UNION ALL {IDS}"]
    hashes = {notebook.cite(query).sha256 for query in [*others, IDS]}
    assert len(hashes) == len(others) + 1
    assert told.sha256 in hashes


def test_texts_that_look_alike_together_are_told_apart(aged, load):  # noqa: F811
    notebook = load(aged)
    pairs = [("'a, b'", "'c'"), ("'a'", "'b, c'"), ("'a'", "NULL"), ("'a'", "'NULL'"), ("''", "'a'"), ("NULL", "'a'")]
    hashes = {notebook.cite(f"SELECT {one} AS x, {other} AS y FROM irve.bornes").sha256 for one, other in pairs}
    assert len(hashes) == len(pairs)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT id, random() FROM irve.bornes", r"random\(\) gives other rows each time"),
        ("SELECT id, now() FROM irve.bornes", r"now\(\) gives"),
        (f"{IDS} USING SAMPLE 1 ROWS", "USING SAMPLE gives"),
        ("SELECT 1", "reads no table of the lab; there are irve@open.bornes, irve.bornes"),
        ("DROP TABLE x", "expected one SELECT"),
        (f"{IDS}; {IDS}", "expected one SELECT"),
        ("SELEC 1", "expected one SELECT"),
    ],
)
def test_what_would_not_give_the_same_rows_again_cannot_be_cited(aged, load, query, said):  # noqa: F811
    with pytest.raises(ValueError, match=said):
        load(aged).cite(query)


def test_a_query_through_a_common_table_expression_and_a_subquery_cites_what_lies_below(aged, load):  # noqa: F811
    notebook = load(aged, purpose="mobility")
    told = notebook.cite(
        "WITH few AS (SELECT id FROM irve.bornes) "
        'SELECT * FROM few WHERE id IN (SELECT id FROM "irve@open".bornes) AND EXISTS (FROM few)'
    )
    assert sorted(one["name"] for one in told.tables) == ["irve.bornes", "irve@open.bornes"]
    assert ids(notebook.replay(told)) == ["a", "b", "c"]


def test_a_replay_says_when_the_rows_or_the_snapshot_are_not_those_that_were_cited(aged, load):  # noqa: F811
    notebook = load(aged)
    told = notebook.cite(IDS)
    with pytest.raises(ValueError, match="not the same rows: 4 with hash"):
        notebook.replay(dataclasses.replace(told, rows=4))
    other = {**told.tables[0], "sha256": "0" * 64}
    with pytest.raises(LookupError, match=r"irve\.bornes: version 2 is another one than was cited"):
        notebook.replay(dataclasses.replace(told, tables=(other,)))
    gone = {**told.tables[0], "version": 9}
    with pytest.raises(LookupError, match="no snapshot of 9 can be read here; what can be: version 2"):
        notebook.replay(dataclasses.replace(told, tables=(gone,)))


def test_a_file_that_holds_no_citation_is_named(aged, load, tmp_path):  # noqa: F811
    notebook = load(aged)
    told = dataclasses.asdict(notebook.cite(IDS))
    spoilt = [{**told, key: wrong} for key in ("sha256", "cited", "engine", "rows") for wrong in (None, [], {}, "x")]
    spoilt = [one for one in spoilt if one["sha256"] != "x" and one["engine"] != "x"]  # texts, and caught as such
    for text in ("", "[]", json.dumps({"query": IDS}), *map(json.dumps, spoilt)):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(ValueError, match="x.json: holds no citation; expected what"):
            notebook.replay(tmp_path / "x.json")


def test_in_a_real_jail_the_past_is_there_and_cannot_be_written(aged):
    said = run(
        aged,
        "python",
        "-c",
        "import lab, pathlib\n"
        "print(lab.table('irve.bornes', as_of=1).fetchall(), lab.cite('FROM irve.bornes').rows)\n"
        "path = next(pathlib.Path('/data/.past').rglob('*.parquet'))\n"
        "try: path.write_bytes(b'')\n"
        "except OSError as error: print(error.strerror)",
    )
    assert (said.out, said.err) == ("[('a',)] 3\nRead-only file system\n", "")
