"""Editions as they are built: small classes and cells, keys, purposes and zones; and what is served when one fails."""

from __future__ import annotations

import hashlib
from collections import Counter

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.history import snapshots
from catalog.query import connect
from ingest.building import Secret, build
from ingest.run import ingest
from policies.editions import EditionTable, Source
from policies.keys import VARIABLE
from sandbox.past import past_of

EVERYONE = frozenset({"everyone"})
STEWARD = frozenset({"everyone", "user:steward", "group:stewards"})
PARTNER = frozenset({"everyone", "user:partner", "group:partners"})
TO_STEWARDS = {"to": "group:stewards", "edition": "raw", "until": "2999-01-01"}


def run(folder, slug: str = "jeu"):
    (outcome,) = ingest(folder.lab, slug, lambda _: None)
    return outcome


def receipt(folder, edition: str, slug: str = "jeu") -> dict:
    return folder.lab.lake.current(slug, edition).resources["t"].receipt


def select(folder, principals, sql: str, purpose: str | None = None) -> list[tuple]:
    return connect(folder.lab, principals, purpose=purpose).execute(sql).fetchall()


PERSONS = "nom;commune;age;diag\n" + "".join(
    f"n{at};{'76540' if at % 2 else '14118'};{30 + at % 2};{'grippe' if at % 3 else 'asthme'}\n" for at in range(12)
)
CLASSES = {"keep": ["commune", "age", "diag"], "drop": ["nom"], "k": {"at_least": 3, "over": ["commune", "age"]}}


def test_an_edition_renames_drops_and_cuts_off_and_its_receipt_counts(folder):
    folder.table("jeu", "nom;an;revenu\nA;2024-02-03;5\nB;2024-07-03;150\nC;2023-01-01;-4\n")
    table = {
        "keep": ["an", "revenu"],
        "drop": ["nom"],
        "rename": {"an": "trimestre"},
        "generalise": {"an": "quarter"},
        "top": {"revenu": 100},
        "bottom": {"revenu": 0},
    }
    folder.grant("jeu", {"open": {"t": table}})
    run(folder)
    found = connect(folder.lab, EVERYONE).execute("SELECT * FROM jeu.t")
    assert [column[0] for column in found.description] == ["trimestre", "revenu"]
    assert found.fetchall() == [("2023-Q1", 0), ("2024-Q1", 5), ("2024-Q3", 100)]
    told = receipt(folder, "open")
    assert (told["top"], told["bottom"], told["rows_in"], told["rows_out"]) == ({"revenu": 1}, {"revenu": 1}, 3, 3)


def test_rows_of_small_classes_are_left_out_and_counted(folder):
    folder.table("jeu", PERSONS + "x;27229;40;grippe\ny;27229;40;asthme\n")
    folder.grant("jeu", {"open": {"t": CLASSES}})
    run(folder)
    assert {row[0] for row in select(folder, EVERYONE, "SELECT commune FROM jeu.t")} == {"76540", "14118"}
    told = receipt(folder, "open")
    assert (told["suppressed"], told["rows_out"], told["rows_in"]) == (2, 12, 14)
    assert "n1" not in str((folder.root / "var/lake/jeu/open/current.json").read_text())


STAYS = [("p0", 1), ("p0", 1), ("p0", 1), ("p1", 2), ("p2", 2), (None, 2), ("p3", 3), (None, 3), (None, None)]


@pytest.mark.parametrize("how", [{}, {"pseudonymise": ["nir"]}, {"pseudonymise": ["nir", "n"]}])
@pytest.mark.parametrize("keep", [["n"], ["nir", "n"]])
def test_a_class_is_of_persons_where_the_policy_says_who_they_are(tmp_path, keep, how):
    columns = {"nir": [nir for nir, _ in STAYS], "n": [n for _, n in STAYS]}
    how = {key: [one for one in those if one in keep] for key, those in how.items()}
    at = keep.index("n")
    rows = built(tmp_path, columns, TYPES, keep=keep, k={"at_least": 2, "over": ["n"]}, **how)[1:]
    assert len(rows) == 8
    rows = built(tmp_path, columns, TYPES, keep=keep, k={"at_least": 2, "over": ["n"], "of": "nir"}, **how)[1:]
    assert len(rows) == 3  # those of p1, of p2, and of nobody known, beside them
    assert len({row[at] for row in rows}) == 1


VALUES = st.one_of(st.none(), st.integers(0, 3))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(VALUES, VALUES, st.integers(0, 9)), max_size=60), st.integers(2, 6))
def test_no_class_is_smaller_than_k_whatever_the_table_and_no_larger_one_is_left_out(tmp_path, rows, k):
    raw, made = tmp_path / "raw.parquet", tmp_path / "made.parquet"
    pq.write_table(
        pa.table({name: pa.array([row[at] for row in rows], pa.int64()) for at, name in enumerate("abc")}), raw
    )
    table = EditionTable.model_validate(
        {
            "keep": ["a", "b", "c"],
            "pseudonymise": ["b"],
            "generalise": {"a": {"width": 2}},
            "where": "c < 8",
            "k": {"at_least": k, "over": ["a", "b"]},
        }
    )
    source = Source(
        item=f"read_parquet('{raw}')", columns=dict.fromkeys("abc", "BIGINT"), place=lambda *keys: f"p.yaml {keys}"
    )
    built = build(table, source, [raw], made, tmp_path, Secret(key=b"1" * 32, scope="jeu/open"))
    taken = [row for row in rows if row[2] < 8]
    sizes = Counter((None if a is None else a // 2, b) for a, b, _ in taken)
    kept = sum(size for size in sizes.values() if size >= k)
    found = duckdb.execute(f"SELECT a, b, count(*) FROM '{made}' GROUP BY ALL").fetchall()
    assert sum(row[2] for row in found) == kept
    assert all(row[2] >= k for row in found)
    assert built.counts == {"suppressed": len(taken) - kept}


GOOD = {"keep": ["commune"], "generalise": {"commune": "departement"}}
DIVERSE = {**CLASSES, "l": {"at_least": 2, "of": "diag"}}


def test_a_table_that_turns_bad_leaves_every_edition_and_the_raw_table_as_they_were(folder):
    folder.table("jeu", PERSONS)
    folder.grant("jeu", {"open": {"t": GOOD}, "partner": {"t": DIVERSE}, "autre": {"t": GOOD}}, TO_STEWARDS)
    assert run(folder).editions == ("open", "partner", "autre")
    before = sorted(path for path in (folder.root / "var/lake").rglob("*.parquet"))
    folder.table("jeu", PERSONS + "x;27229;40;grippe\n" * 3)
    for _ in range(2):  # and so it stays, however often it is tried
        outcome = run(folder)
        assert outcome.status == "failed"
        assert outcome.error == (
            "policies/jeu.yaml:22: edition 'partner', resource 't': 1 of 3 classes over commune, age have fewer than 2 "
            "values of 'diag' (l=1); generalise more, raise 'k', or leave the column out"
        )
        assert sorted(path for path in (folder.root / "var/lake").rglob("*.parquet")) == before
        editions = [folder.lab.lake.current("jeu", one).resources["t"].version for one in ("open", "partner", "autre")]
        assert editions == [0, 0, 0]
        assert select(folder, STEWARD, "SELECT count(*) FROM jeu.t") == [(12,)]
    folder.table("jeu", PERSONS + "x;27229;40;grippe\n" * 3 + "y;27229;40;asthme\n")
    assert run(folder).editions == ("open", "partner", "autre")
    assert select(folder, STEWARD, "SELECT count(*) FROM jeu.t") == [(16,)]


COUNTED = (
    "commune;sexe;effectif;revenu\n76540;F;3;100\n76540;H;40;200\n76540;Total;43;190\n14118;F;25;100\n14118;H;30;150\n"
    "14118;Total;55;130\n27229;F;70;90\n27229;H;80;91\n27229;Total;150;90\nTous;F;98;95\nTous;H;150;99\nTous;Total;248;97\n"
)
CELLS = {
    "dimensions": {"commune": "Tous", "sexe": "Total"},
    "count": "effectif",
    "values": ["revenu"],
    "at_least": 5,
}


def test_small_cells_and_those_that_would_tell_them_are_null_with_a_marker(folder):
    folder.table("jeu", COUNTED)
    folder.grant("jeu", {"open": {"t": {"keep": ["commune", "sexe", "effectif", "revenu"], "cells": CELLS}}})
    run(folder)
    found = connect(folder.lab, EVERYONE).execute("SELECT * FROM jeu.t WHERE effectif IS NULL ORDER BY 1, 2")
    assert [column[0] for column in found.description] == [
        "commune", "sexe", "effectif", "effectif_marker", "revenu", "revenu_marker",
    ]  # fmt: skip
    assert found.fetchall() == [
        (commune, sexe, None, "s", None, "s") for commune in ("14118", "76540") for sexe in ("F", "H")
    ]
    assert receipt(folder, "open")["cells"] == {"small": 1, "beside": 3}
    shown = select(folder, EVERYONE, "SELECT count(*), bool_and(effectif_marker IS NULL) FROM jeu.t WHERE effectif > 0")
    assert shown == [(8, True)]


def test_the_source_s_own_markers_stay_and_its_secret_cells_are_protected_too(folder):
    folder.table("jeu", "commune;effectif\n76540;s\n14118;25\n27229;70\nTous;98\n")
    table = {"keep": ["commune", "effectif"], "rename": {"effectif": "n"}}
    cells = {"dimensions": {"commune": "Tous"}, "count": "effectif", "at_least": 5}
    folder.grant("jeu", {"open": {"t": {**table, "cells": cells}}})
    run(folder)
    assert select(folder, EVERYONE, "SELECT commune, n, n_marker FROM jeu.t") == [
        ("14118", None, "s"), ("27229", 70, None), ("76540", None, "s"), ("Tous", 98, None),
    ]  # fmt: skip


def test_cells_that_the_dimensions_do_not_part_are_refused(folder):
    folder.table("jeu", COUNTED)
    cells = {"dimensions": {"commune": "Tous"}, "count": "effectif", "at_least": 5}
    folder.grant("jeu", {"open": {"t": {"keep": ["commune", "effectif"], "cells": cells}}})
    assert "jeu.yaml:8: edition 'open', resource 't': 8 rows say a cell again: commune do not" in run(folder).error


KEYS = ("1" * 64, "2" * 64)
SIRETS = "siret;montant\n80295478500013;1\n"


@pytest.fixture
def keyed(folder, monkeypatch):
    """A lab of two snapshots whose edition `open` has pseudonyms made with the first key."""
    monkeypatch.setenv(VARIABLE, KEYS[0])
    folder.grant("jeu", {"open": {"t": {"keep": ["siret", "montant"], "pseudonymise": ["siret"]}}})
    for rows in (1, 2):
        folder.table("jeu", SIRETS + "80295478500013;2\n" * (rows - 1))
        run(folder)
    return folder


def readable(folder) -> list[int]:
    (edition,) = folder.lab.granted(EVERYONE)
    return [one.version for one in snapshots(folder.lab, edition, "t")]


def test_a_new_key_makes_other_pseudonyms_and_the_old_ones_are_read_nowhere(keyed, monkeypatch):
    assert readable(keyed) == [1, 0]
    (old,) = {row[0] for row in select(keyed, EVERYONE, "SELECT siret FROM jeu.t")}
    monkeypatch.setenv(VARIABLE, KEYS[1])
    assert run(keyed).editions == ("open",)
    (new,) = {row[0] for row in select(keyed, EVERYONE, "SELECT siret FROM jeu.t")}
    assert new != old
    # No door needs the key to know: not the history, nor a sandbox; and no file is left of them
    monkeypatch.delenv(VARIABLE)
    assert readable(keyed) == [2]
    mounts, _ = past_of(keyed.lab, keyed.lab.granted(EVERYONE), ("version",), lambda _: None)
    assert mounts == ()
    for path in (keyed.root / "var/lake/jeu/open").rglob("*"):
        assert path.is_dir() or old.encode() not in path.read_bytes()
    (only,) = (keyed.root / "var/lake/jeu/open").rglob("*.parquet")
    assert old not in {row[0] for row in duckdb.execute(f"SELECT siret FROM '{only}'").fetchall()}


def test_the_same_key_keeps_the_past_and_builds_nothing_again(keyed):
    assert run(keyed).status == "unchanged"
    assert readable(keyed) == [1, 0]


def test_pseudonyms_for_one_purpose_join_across_datasets_and_those_for_another_do_not(folder):
    for slug, purpose in (("jeu", "eau"), ("autre", "eau"), ("tiers", "air")):
        folder.table(slug, SIRETS, name=f"{slug}.csv")
        table = {"keep": ["siret"], "pseudonymise": {"siret": purpose}}
        grant = {"to": "group:partners", "edition": "open", "until": "2999-01-01", "purposes": [purpose]}
        folder.grant(slug, {"open": {"t": table}}, grant)
        run(folder, slug)
    joined = "SELECT count(*) FROM jeu.t JOIN autre.t AS o USING (siret)"
    assert select(folder, PARTNER, joined, purpose="eau") == [(1,)]
    (here,), (there,) = (
        select(folder, PARTNER, f"SELECT siret FROM {slug}.t", purpose=purpose)[0]
        for slug, purpose in (("jeu", "eau"), ("tiers", "air"))
    )
    assert here != there


ZONES = '\n[policies.zones]\nepci = {table = "epci.t", commune = "insee", code = "siren"}\n'
MEMBERS = "insee;siren\n76540;200023414\n14118;200065597\n27229;1\n27229;2\n"
WITH_EPCI = {"open": {"t": {"keep": ["commune", "n"], "generalise": {"commune": "epci"}}}}


@pytest.fixture
def zoned(folder):
    """A lab whose edition `open` of `jeu` has EPCI instead of communes; two of five have none, one has no code."""
    folder.write("datalab.toml", (folder.root / "datalab.toml").read_text() + ZONES)
    columns = {"insee": {"type": "text"}, "siren": {"type": "text"}}
    folder.table("epci", MEMBERS, name="epci.csv", columns=columns)
    folder.table(
        "jeu",
        "commune;n\n76540;1\n14118;2\n27229;3\n99999;4\n;5\n",
        name="jeu.csv",
        columns={"commune": {"type": "text"}},
    )
    folder.grant("jeu", WITH_EPCI)
    return folder


def test_a_commune_becomes_its_epci_and_one_that_has_none_or_two_is_counted(zoned):
    run(zoned, "epci")
    run(zoned)
    assert select(zoned, EVERYONE, "SELECT commune, n FROM jeu.t ORDER BY n") == [
        ("200023414", 1), ("200065597", 2), (None, 3), (None, 4), (None, 5),
    ]  # fmt: skip
    assert receipt(zoned, "open")["unknown"] == {"commune": 2}


def test_a_new_table_of_zones_builds_the_edition_again(zoned):
    run(zoned, "epci")
    run(zoned)
    assert run(zoned).status == "unchanged"
    zoned.table(
        "epci",
        MEMBERS.replace("27229;2\n", "99999;3\n"),
        name="epci.csv",
        columns={"insee": {"type": "text"}, "siren": {"type": "text"}},
    )
    run(zoned, "epci")
    assert run(zoned).editions == ("open",)
    assert receipt(zoned, "open")["unknown"] == {"commune": 0}


def test_a_zone_without_a_table_is_named_with_what_to_do(zoned):
    assert "[policies.zones] epci: there is no epci.t; run `datalab ingest epci`" in run(zoned).error
    zoned.write("datalab.toml", (zoned.root / "datalab.toml").read_text().replace('"siren"', '"sirn"'))
    run(zoned, "epci")
    assert "[policies.zones] epci: epci.t has no column 'sirn'; did you mean 'siren'?" in run(zoned).error
    zoned.write("datalab.toml", (zoned.root / "datalab.toml").read_text().replace("epci = ", "region = "))
    said = "policies/jeu.yaml:9: edition 'open', resource 't': no table has the epci of a commune; name one in"
    assert said in run(zoned).error
    assert zoned.lab.granted(EVERYONE) == ()


TYPES = {"nir": "VARCHAR", "n": "BIGINT"}


def hash_of(at: int) -> int:
    return int.from_bytes(hashlib.sha256(str(at).encode()).digest()[:4])


def built(
    folder, columns: dict[str, list], types: dict[str, str], purpose: str = "open", **table: object
) -> list[tuple]:
    """The rows that an edition makes of a table with these columns, and the names of its columns first."""
    raw, made = folder / "raw.parquet", folder / "made.parquet"
    kinds = {"VARCHAR": pa.string(), "BIGINT": pa.int64()}
    pq.write_table(pa.table({name: pa.array(values, kinds[types[name]]) for name, values in columns.items()}), raw)
    source = Source(item=f"read_parquet('{raw}')", columns=types, place=lambda *keys: f"p.yaml {keys}")
    secret = Secret(key=b"1" * 32, scope=f"jeu/{purpose}")
    told = build(EditionTable.model_validate(table), source, [raw], made, folder, secret)
    return [tuple(name for name, _ in told.columns), *duckdb.execute(f"FROM '{made}'").fetchall()]


MANY = 400
IN_SOURCE_ORDER = {"nir": [f"{at:05}" for at in range(MANY)], "n": [at * 7 % MANY for at in range(MANY)]}


def joined_by_row(here: list[tuple], there: list[tuple]) -> int:
    """How many of the first columns and of the last ones, row by row, are of one row of the source."""
    of = {one: at for at, one in enumerate(IN_SOURCE_ORDER["n"])}
    return sum(of[a] == of[b] for (*_, a), (*_, b) in zip(here, there, strict=True))


@pytest.mark.parametrize("ordered", [True, False])
def test_editions_for_two_purposes_cannot_be_joined_by_the_order_of_their_rows(tmp_path, monkeypatch, ordered):
    if not ordered:  # so they were, and could
        monkeypatch.setattr(EditionTable, "ordered", False)
    one, two = (
        built(tmp_path, IN_SOURCE_ORDER, TYPES, purpose=purpose, keep=["nir", "n"], pseudonymise={"nir": purpose})[1:]
        for purpose in ("eau", "air")
    )
    # The n of a row stands for the person. By chance one row of all meets itself, and eight never (about 1 / 10^6)
    assert joined_by_row(one, two) < 9 if ordered else joined_by_row(one, two) == MANY
    # Nor does the place of a pseudonym tell where in a source sorted by its identifier the person stood
    assert ([row[1] for row in one] == IN_SOURCE_ORDER["n"]) is not ordered


@pytest.mark.parametrize("ordered", [True, False])
def test_columns_that_two_coarser_editions_split_are_not_put_together_by_the_order_of_their_rows(
    tmp_path, monkeypatch, ordered
):
    if not ordered:
        monkeypatch.setattr(EditionTable, "ordered", False)
    columns = {**IN_SOURCE_ORDER, "d": ["ab"[hash_of(at) % 2] for at in range(MANY)]}
    k = {"at_least": 2, "over": ["d"]}
    (_, *one) = built(tmp_path, columns, {**TYPES, "d": "VARCHAR"}, keep=["d"], k=k)
    (_, *two) = built(tmp_path, columns, {**TYPES, "d": "VARCHAR"}, keep=["n"], generalise={"n": {"width": 1}})
    of = dict(zip(map(str, columns["n"]), columns["d"], strict=True))
    met = sum(of[n] == d for (d,), (n,) in zip(one, two, strict=True))
    assert abs(met - MANY / 2) < 60 if ordered else met == MANY


def test_a_table_is_built_the_same_whatever_the_order_of_the_source(tmp_path):
    turned = {name: values[::-1] for name, values in IN_SOURCE_ORDER.items()}
    how = {"keep": ["n", "nir"], "pseudonymise": ["nir"], "generalise": {"n": {"width": 90}}}
    assert built(tmp_path, IN_SOURCE_ORDER, TYPES, **how) == built(tmp_path, turned, TYPES, **how)


def test_an_edition_that_was_built_in_the_source_s_order_is_built_again_and_its_past_is_not_read(folder, monkeypatch):
    folder.table("jeu", PERSONS)
    folder.grant("jeu", {"open": {"t": CLASSES}, "plain": {"t": {"keep": ["age"]}}})
    with monkeypatch.context() as before:
        before.setattr(EditionTable, "ordered", False)
        run(folder)
    assert len(select(folder, EVERYONE, "FROM jeu.t")) == 12  # it stays open until then
    assert run(folder).editions == ("open",)
    assert readable(folder) == [1]
    assert run(folder).status == "unchanged"


def test_names_that_are_sql_themselves_stay_names(tmp_path):
    one, two, three = 'a"; DROP TABLE x; --', "it's [b]", "count(*)"
    columns = {one: ["x", "x", "y"], two: [1, 1, 2], three: [7, 8, 9]}
    types = {one: "VARCHAR", two: "BIGINT", three: "BIGINT"}
    found = built(
        tmp_path,
        columns,
        types,
        keep=[one, two, three],
        rename={two: 'c"d'},
        generalise={two: {"width": 2}},
        top={three: 7},
        k={"at_least": 2, "over": [one, two]},
    )
    assert found == [(one, 'c"d', three), ("x", "0-1", 7), ("x", "0-1", 7)]


def test_a_cell_of_an_unknown_position_is_a_cell_like_another(tmp_path):
    columns = {"d": [None, "a", "b", "T"], "n": [2, 30, 9, 41]}
    cells = {"dimensions": {"d": "T"}, "count": "n", "at_least": 5}
    found = built(tmp_path, columns, {"d": "VARCHAR", "n": "BIGINT"}, keep=["d", "n"], cells=cells)
    assert found == [("d", "n", "n_marker"), ("T", 41, None), ("a", 30, None), ("b", None, "s"), (None, None, "s")]


@pytest.mark.parametrize(
    "control",
    [
        {"k": {"at_least": 5, "over": ["d"]}, "l": {"at_least": 2, "of": "n"}},
        {"cells": {"dimensions": {"d": "T"}, "count": "n", "at_least": 5}},
        {"pseudonymise": {"d": "eau"}},
    ],
)
def test_a_table_without_a_row_has_nothing_to_hide(tmp_path, control):
    found = built(tmp_path, {"d": [], "n": []}, {"d": "VARCHAR", "n": "BIGINT"}, keep=["d", "n"], **control)
    assert len(found) == 1
