"""`datalab search` and `datalab joins`, run as a person would."""

from __future__ import annotations

import pyarrow as pa
import pytest
from fixtures_portal import commit

CODES = [f"76{number:03d}" for number in range(1, 400, 3)]
UNTIL = {"until": "2999-01-01"}


@pytest.fixture(autouse=True)
def lab(folder):
    """Communes for everyone, grants of money for the stewards, and one dataset whose descriptor is wrong or right."""
    for slug, title, column, to in (
        ("communes", "Communes de Normandie", "insee", {"to": "everyone", "edition": "open"}),
        ("aides", "Aides versées", "code_commune", {"to": "group:stewards", "edition": "open", **UNTIL}),
    ):
        folder.describe(slug, {"t": {"source": {"file": "x.csv"}}}, title={"fr": title}, licence="ODbL-1.0")
        folder.grant(slug, {"open": {"t": {"keep": [column]}}}, to)
        table = pa.table({column: CODES if slug == "communes" else CODES[:40] * 2})
        commit(folder.lab, slug, "open", "t", table, [(column, "VARCHAR")], {"raw_version": 0})


def test_search_tells_what_the_principal_may_see(datalab):
    ran = datalab("search", "commune")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "communes  Communes de Normandie")
    assert ran.out.endswith("1 dataset of 1\n")
    assert "aides  Aides versées" in datalab("search", "commune", "--as", "steward").out
    assert datalab("search", "--as", "steward", "--limit", "1").out.endswith("2 datasets of 2; --limit 2 tells all\n")


def test_search_puts_a_word_right_and_names_what_no_facet_has(datalab):
    assert "did you mean: communes" in datalab("search", "comunnes").out
    ran = datalab("search", "--theme", "REGY")
    assert (ran.code, "no dataset has the theme 'REGY'; did you mean 'REGI'?" in ran.err) == (1, True)
    chosen = datalab("search", "--theme", "REGI", "--format", "csv", "--freshness", "current")
    assert chosen.out.endswith("1 dataset of 1\n")
    assert datalab("search", "--limit", "0").code == 2


def test_joins_tells_columns_shares_and_licences_and_the_sql(datalab):
    ran = datalab("joins", "aides", "--as", "steward")
    shares = "100 % of its codes are there; 30 % of theirs are here"
    assert ran.out.splitlines() == [
        "aides.t.code_commune = communes.t.insee",
        f"    {shares}; what is made of it carries Open Database License 1.0",
    ]
    sql = datalab("joins", "aides", "--as", "steward", "--sql").out
    assert sql == "SELECT *\nFROM aides.t AS a\nJOIN communes.t AS b ON a.code_commune = b.insee;\n"
    assert datalab("query", sql, "--as", "steward", "--format", "csv").out.count("\n") == 81


def test_joins_names_nothing_that_is_not_granted(datalab):
    datalab("joins", "aides", "--as", "steward")
    assert datalab("joins", "communes").out == "communes joins with no other table\n"
    ran = datalab("joins", "aides")
    assert (ran.code, "unknown dataset 'aides', or not granted to everyone" in ran.err) == (1, True)


def test_what_is_left_out_is_told_after_what_was_found(datalab, folder):
    folder.write("datasets/faux.yaml", "title: {fr: x}\n")
    for command in (["search"], ["joins", "communes"]):
        ran = datalab(*command)
        assert (ran.code, "communes" in ran.out, "faux.yaml:1" in ran.err) == (1, True, True)


def test_a_wrong_synonym_is_named_with_its_line(datalab, folder):
    folder.write("synonyms.txt", "seul\n")
    ran = datalab("search", "x")
    assert (ran.code, "synonyms.txt:1: 'seul' stands alone" in ran.err) == (1, True)
