"""What is told of how well editions hide their persons: counts alone, compared with a count by hand."""

from __future__ import annotations

import json
from collections import Counter, defaultdict

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.disclosure import disclosure
from ingest.run import ingest
from policies.editions.disclosure import Classes, classes_sql
from policies.errors import UsageError

ROWS = "nom;age;cp;diag\n" + "".join(
    f"n{at};{30 + at // 6};{76000 if at < 9 else 14000};{'abc'[at % 3]}\n" for at in range(12)
)
TABLE = {
    "keep": ["age", "cp", "diag"],
    "rename": {"age": "tranche", "diag": "motif"},
    "k": {"at_least": 3, "over": ["age", "cp"]},
    "l": {"at_least": 2, "of": "diag"},
}
VALUES = st.one_of(st.none(), st.integers(0, 2))


@pytest.fixture
def jeu(folder):
    folder.table("jeu", ROWS + "seul;99;27000;a\n")
    folder.grant("jeu", {"open": {"t": TABLE}, "partner": {"t": {"keep": ["age", "nom"]}}})
    list(ingest(folder.lab, "jeu", lambda _: None))
    return folder


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=40), st.booleans())
def test_classes_are_counted_as_by_hand(rows, persons):
    values = defaultdict(set)
    for a, b, c in rows:
        values[a, b].update([] if c is None else [c])
    sizes = Counter((a, b) for a, b, _ in rows)
    if persons:
        sizes = {one: max(len(those), 1) for one, those in values.items()}
    with duckdb.connect() as con:
        con.register(
            "t", pa.table({name: pa.array([row[at] for row in rows], pa.int64()) for at, name in enumerate("abc")})
        )
        found = Classes(*con.execute(classes_sql("t", ["a", "b"], "c", 2, person="c" if persons else None)).fetchone())
    assert found == Classes(
        rows=len(rows),
        classes=len(sizes),
        uniques=sum(size == 1 for size in sizes.values()),
        smallest=min(sizes.values(), default=None),
        least_diverse=min(map(len, values.values()), default=None),
        poor=sum(len(one) < 2 for one in values.values()),
        persons=sum(sizes.values()) if persons else None,
    )
    assert found.expected == pytest.approx(len(sizes) / sum(sizes.values()) if rows else 0)


def test_an_edition_is_told_over_the_quasi_identifiers_that_it_declares_under_the_names_it_gives_them(jeu):
    opened, partner = disclosure(jeu.lab, "jeu")
    assert (opened.edition, opened.over, opened.of, opened.rows, opened.suppressed) == (
        "open", ("tranche", "cp"), "motif", 12, 1,
    )  # fmt: skip
    assert opened.classes == Classes(rows=12, classes=3, uniques=0, smallest=3, least_diverse=3)
    assert opened.classes.expected == 0.25
    assert (partner.classes, partner.note) == (None, "declares no quasi-identifiers: name some by --over")


STAYS = "nir;age;cp\n" + "".join(f"p{at};30;76000\n" for at in range(3)) + "seul;50;14000\n" * 5
OF_PERSONS = {"at_least": 2, "over": ["age", "cp"], "of": "nir"}


@pytest.mark.parametrize("keep", [["nir", "age", "cp"], ["age", "cp"]])
def test_classes_of_persons_are_told_as_such_whether_their_column_is_kept_or_not(folder, datalab, keep):
    folder.table("jeu", STAYS)
    folder.grant("jeu", {"open": {"t": {"keep": keep, "k": OF_PERSONS}}})
    list(ingest(folder.lab, "jeu", lambda _: None))
    (made,) = disclosure(folder.lab, "jeu")
    counted = Classes(rows=3, classes=1, uniques=0, smallest=3, least_diverse=None, persons=3)
    assert (made.classes, made.person, made.suppressed) == (counted, "nir", 5)
    assert datalab("disclosure", "jeu").out.splitlines()[1:] == [
        "  k=3 persons by nir over age, cp",
        "  1 class, 0 persons alone (0.0%); found again: 33.3% at worst, 33.3% expected",
        "  suppressed: 5 rows",
    ]
    lines = datalab("disclosure", "jeu", "--over", "age").out.splitlines()
    kept = "nir" in keep
    assert lines[1] == ("  k=3 persons by nir over age" if kept else "  k=3 over age")
    assert ("  counts rows: 'nir', which tells persons apart, is not in it" in lines) is not kept


def test_other_quasi_identifiers_can_be_asked_of_every_edition_that_has_them_and_of_raw(jeu):
    opened, partner, raw = disclosure(jeu.lab, "jeu", ["nom"])
    assert (opened.edition, opened.note) == ("open", "has none of these columns")
    assert (partner.classes.smallest, partner.classes.unique_share) == (1, 1.0)
    assert (raw.edition, raw.over, raw.classes.uniques, raw.classes.expected) == ("raw", ("nom",), 13, 1.0)


def test_an_edition_that_the_policy_would_no_longer_make_so_is_said_to_be_of_another(jeu):
    jeu.grant("jeu", {"open": {"t": {**TABLE, "where": "age > 30"}}})
    (opened,) = disclosure(jeu.lab, "jeu")
    assert opened.note == "was built by another policy, and is not served: run `datalab ingest jeu`"


def test_an_unknown_column_and_an_unknown_dataset_are_named(jeu):
    with pytest.raises(UsageError, match="--over: no table of jeu has a column 'ag'; did you mean 'age'"):
        list(disclosure(jeu.lab, "jeu", ["ag"]))
    with pytest.raises(UsageError, match="unknown dataset 'jeux'"):
        list(disclosure(jeu.lab, "jeux"))


def test_the_command_prints_counts_and_no_value(jeu, datalab):
    ran = datalab("disclosure", "jeu")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "open.t  12 rows",
        "  k=3, l=3 of motif over tranche, cp",
        "  3 classes, 0 rows alone (0.0%); found again: 33.3% at worst, 25.0% expected",
        "  suppressed: 1 row",
        "partner.t  13 rows",
        "  declares no quasi-identifiers: name some by --over",
    ]
    told = [json.loads(line) for line in datalab("disclosure", "jeu", "--over", "nom", "--json").out.splitlines()]
    assert [(one["edition"], one["k"], one["uniques"]) for one in told] == [
        ("open", None, None), ("partner", 1, 13), ("raw", 1, 13),
    ]  # fmt: skip
    assert "seul" not in str(told)
