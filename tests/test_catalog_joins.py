from __future__ import annotations

import random

import duckdb
import pyarrow as pa
import pytest
from fixtures_portal import commit

from catalog.entries import EVERYONE, entries
from catalog.joins.coded import coded
from catalog.joins.codes import may_be_code, meaning
from catalog.joins.join import joins
from catalog.joins.sketches import HASHES, known, sketch
from catalog.query import connect
from policies.errors import LakeError

SQL = {pa.string(): "VARCHAR", pa.int64(): "BIGINT", pa.float64(): "DOUBLE", pa.bool_(): "BOOLEAN"}
COMMUNES = [f"{dep:02d}{number:03d}" for dep in (14, 27, 50, 61, 76) for number in range(1, 700, 2)]
DICE = random.Random(4)  # noqa: S311  for test data


@pytest.fixture
def described(folder):
    """Describe a dataset of one table `t` with these columns, open to everyone, and commit it."""

    def make(slug, columns, titles=None, keep=None, **changes):
        told = {name: {"title": {"fr": title}} for name, title in (titles or {}).items()}
        folder.describe(slug, {"t": {"source": {"file": "x.csv"}, "columns": told}}, **changes)
        shown = list(keep or columns)
        folder.grant(slug, {"open": {"t": {"keep": shown}}})
        table = pa.table({name: columns[name] for name in shown})
        types = [(field.name, SQL[field.type]) for field in table.schema]
        commit(folder.lab, slug, "open", "t", table, types, {"raw_version": 0})

    return make


@pytest.fixture
def found(folder):
    """What joins with what, as `this.column → other.column`, from the first side."""

    def find(slug):
        tables = sketched(folder.lab)
        return joins([one for one in tables if one.entry.slug == slug], tables)

    return find


def type_of(values):
    return pa.string() if values[0] is None else pa.array(values).type


def sketched(lab):
    return coded(lab, entries(lab, EVERYONE))


def told(found):
    return [(join.this.column, join.other.table, join.other.column) for join in found]


def test_a_code_that_is_a_key_elsewhere_is_joined_and_the_shares_are_right(described, found):
    described("communes", {"COM": COMMUNES, "nom": [f"Ville {code}" for code in COMMUNES]})
    codes = [*COMMUNES[:90] * 3, *(f"99{number:03d}" for number in range(10))]
    described("aides", {"insee": codes, "montant": [1.5] * len(codes)})
    (join,) = found("aides")
    assert told([join]) == [("insee", "communes.t", "COM")]
    assert (join.contained, join.shared, join.exact) == (0.9, 90, True)
    assert join.covered == 90 / len(COMMUNES)
    assert (join.looks_up, join.other.unique, join.this.is_key) == (True, True, False)
    (back,) = found("communes")
    assert (back.covered, back.looks_up) == (0.9, False)


def test_the_sql_of_a_join_runs_as_it_stands_and_gives_the_rows_that_it_says(described, found, folder):
    described("communes", {"COM": COMMUNES, "order": COMMUNES})
    described("aides", {"Code commune": COMMUNES[:30]})
    (join,) = found("aides")
    assert join.sql.splitlines()[-1] in {
        'JOIN communes.t AS b ON a."Code commune" = b.COM',
        'JOIN communes.t AS b ON a."Code commune" = b."order"',
    }
    assert len(connect(folder.lab, EVERYONE).execute(join.sql).fetchall()) == 30


def test_numbers_join_texts_of_the_same_digits(described, found, folder):
    numbers = sorted(DICE.sample(range(10**8, 10**9), 200))
    described("entreprises", {"siren": [str(number) for number in numbers]})
    described("marches", {"siren": numbers[:50] * 2})
    (join,) = found("marches")
    assert "CAST(a.siren AS VARCHAR) = CAST(b.siren AS VARCHAR)" in join.sql
    assert len(connect(folder.lab, EVERYONE).execute(join.sql).fetchall()) == 100


def test_share_alike_follows_the_join_from_either_side(described, found):
    described("communes", {"COM": COMMUNES}, licence="ODbL-1.0")
    described("aides", {"insee": COMMUNES})
    assert [join.share_alike for slug in ("aides", "communes") for join in found(slug)] == [
        ("Open Database License 1.0",),
        ("Open Database License 1.0",),
    ]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("annee", [str(year) for year in range(1990, 2020)]),
        ("lot", [str(number) for number in range(1, 400)]),
        ("rang", list(range(1, 400))),
        ("ouvert", [True, False] * 100),
        ("montant", [float(number) for number in range(100)]),
        ("ville", ["Rouen", "Caen", "Le Havre", "Évreux"] * 30),
        ("cp", [f"{dep:02d}{number:03d}" for dep in (14, 76) for number in range(1, 700, 2)]),
        ("observation", [f"vu le {number} au soir" for number in range(300)]),
        ("niveau", ["A1", "A2", "B1"]),
        ("vide", [None] * 50),
    ],
)
def test_what_only_happens_to_be_alike_does_not_join(described, found, name, values):
    described("communes", {"COM": COMMUNES, "numero": list(range(len(COMMUNES))), "annee": ["2024"] * len(COMMUNES)})
    described("autre", {name: pa.array(values, type_of(values))})
    described("encore", {name: pa.array(values, type_of(values))})
    assert [join for join in found("autre") if join.other.entry.slug == "communes"] == []


def test_departements_of_two_tables_that_are_no_keys_do_not_join(described, found):
    departements = [f"{number:02d}" for number in range(1, 96)] * 4
    for slug in ("a", "b"):
        described(slug, {"dep": departements})
    assert found("a") == ()


def test_a_small_table_of_departements_joins_with_those_that_name_them_so(described, found):
    described("regions", {"code": ["14", "27", "50", "61", "76"]}, {"code": "Code du département"})
    described("aides", {"dept": [f"{number:02d}" for number in range(1, 96)] * 4})
    described("lots", {"lot": [f"{number:02d}" for number in range(1, 96)] * 4})
    assert told(found("regions")) == [("code", "aides.t", "dept")]


def test_names_that_agree_join_what_numbers_alone_could_not_tell(described, found):
    described("stations", {"station_id": list(range(1, 300))})
    described("mesures", {"id_station": [*range(1, 200)] * 3})
    described("lots", {"lot": [*range(1, 200)] * 3})
    assert told(found("stations")) == [("station_id", "mesures.t", "id_station")]


def test_a_column_that_the_edition_lacks_joins_nothing_and_is_in_no_sketch(described, found, folder):
    described("communes", {"COM": COMMUNES})
    described("aides", {"insee": COMMUNES, "note": ["x"] * len(COMMUNES)}, keep=["note"])
    assert found("communes") == ()
    (aides,) = [one for one in sketched(folder.lab) if one.entry.slug == "aides"]
    assert aides.sketch.columns == ()


def test_a_large_column_is_sketched_by_a_sample_and_its_shares_are_near(described, found, folder):
    keys = [f"K{number:07d}" for number in range(HASHES * 3)]
    described("grand", {"cle": keys})
    described("petit", {"ref": keys[: HASHES * 2][::2] + [f"Z{number}" for number in range(HASHES // 2)]})
    (join,) = found("petit")
    assert not join.exact
    assert join.contained == pytest.approx(2 / 3, abs=0.02)
    assert join.covered == pytest.approx(1 / 3, abs=0.02)
    assert join.shared == pytest.approx(HASHES, rel=0.05)
    sizes = {one.entry.slug: one.sketch.path.stat().st_size for one in sketched(folder.lab)}
    assert max(sizes.values()) < 5 * HASHES


def test_a_sketch_is_made_once_a_snapshot_and_the_old_one_goes(described, folder):
    described("communes", {"COM": COMMUNES})
    (first,) = sketched(folder.lab)
    made = first.sketch.path.stat().st_mtime_ns
    assert sketched(folder.lab)[0].sketch.path.stat().st_mtime_ns == made
    described("communes", {"COM": COMMUNES[:50]})
    (second,) = sketched(folder.lab)
    assert second.sketch.path != first.sketch.path
    assert list(second.sketch.path.parent.iterdir()) == [second.sketch.path]
    assert second.sketch.columns[0].distinct == 50


@pytest.mark.parametrize("damage", [lambda whole: whole[:-5], lambda _: b"", lambda whole: b"\xff" * len(whole)])
def test_a_damaged_sketch_is_made_again(described, folder, damage):
    described("communes", {"COM": COMMUNES})
    (one,) = sketched(folder.lab)
    whole = one.sketch.path.read_bytes()
    one.sketch.path.write_bytes(damage(whole))
    assert known(folder.lab, one.entry, "t") is None
    sketched(folder.lab)
    assert one.sketch.path.read_bytes() == whole


def test_a_table_that_cannot_be_read_is_named(described, folder):
    described("communes", {"COM": COMMUNES})
    (entry,) = entries(folder.lab, EVERYONE)
    (path,) = folder.lab.lake.files("communes", "open", "t", entry.current.resources["t"])
    path.write_bytes(b"PAR1" + b"\0" * (path.stat().st_size - 8) + b"PAR1")
    with pytest.raises(LakeError, match=r"communes\.t: its codes cannot be compared"):
        sketch(folder.lab, entry, "t")


def test_a_sketch_that_goes_away_meanwhile_is_left_out(described, folder):
    described("communes", {"COM": COMMUNES})
    described("aides", {"insee": COMMUNES})
    tables = sketched(folder.lab)
    tables[0].sketch.path.unlink()
    assert joins(tables, tables) == ()


def test_the_same_data_give_the_same_joins_in_the_same_order(described, found):
    described("communes", {"COM": COMMUNES})
    for slug in ("c", "a", "b"):
        described(slug, {"insee": COMMUNES})
    assert [join.other.entry.slug for join in found("communes")] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("sql", "name", "sample", "answer"),
    [
        ("VARCHAR", "insee", ["01001", "2A004", "76540"], True),
        ("BIGINT", "id", ["1", "2", "3"], True),
        ("VARCHAR", "uai", ["0760001A", "0760002B", "0760003C"], True),
        ("VARCHAR", "stop_id", ["StopPoint:OCE-87413013", "StopPoint:OCE-87413014", "StopArea:OCE-1"], True),
        ("DOUBLE", "insee", ["1", "2", "3"], False),
        ("DATE", "jour", ["2026-01-01", "2026-01-02", "2026-01-03"], False),
        ("VARCHAR", "nom", ["Rouen", "Caen", "Dieppe"], False),
        ("VARCHAR", "adresse", ["1 rue A", "2 rue B", "3 rue C"], False),
        ("BIGINT", "annee", ["2020", "2021", "2022"], False),
        ("BIGINT", "exercice", ["2020", "2021", "2022"], False),
        ("BIGINT", "nb_places", ["1", "2", "3"], False),
        ("VARCHAR", "a", ["1", "2"], False),
    ],
)
def test_what_may_be_a_code(sql, name, sample, answer):
    assert may_be_code(sql, name, sample) is answer


def test_what_names_mean():
    assert meaning(["COM", "Code de la commune"]) == meaning(["code_insee"]) == {"commune"}
    assert meaning(["dept"]) == meaning(["DEP"]) == meaning(["code", "Code du département"]) == {"departement"}
    assert meaning(["siren_epci"]) == {"siren"}
    assert meaning(["id_station"]) == meaning(["station"]) == {"station"}
    assert meaning(["id"]) == meaning(["code"]) == frozenset()


def test_duckdbs_hash_of_a_text_is_spread_evenly():
    values = duckdb.sql("SELECT hash(CAST(range AS VARCHAR)) >> 32 AS h FROM range(100000)").fetchall()
    below = sum(h < 2**30 for (h,) in values)
    assert below == pytest.approx(25_000, rel=0.05)
