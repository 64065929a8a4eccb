"""Questions to the lake, from Python and from the command line."""

from __future__ import annotations

import io
import json

import duckdb
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from catalog.output import Format, write
from catalog.query import connect, select
from ingest.run import ingest
from policies.errors import LakeError, QueryError

EVERYONE = frozenset({"everyone"})
TEXT = "code;nom;note;montant\n01;été;=1+1;1,5\n2A;,;;2,25\n"


@pytest.fixture
def jeu(folder):
    folder.table("jeu", TEXT)
    folder.grant("jeu", {"open": {"t": {"keep": ["code", "nom", "note", "montant"]}}})
    list(ingest(folder.lab, "jeu", lambda _: None))
    return folder


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "ATTACH '/tmp/x.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "CREATE TABLE x AS SELECT 1",
        "DROP VIEW jeu.t",
        "SELECT 1; SELECT 2",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{granted}' (FORMAT parquet, USE_TMP_FILE false)",
        "COPY (SELECT 1) TO '{granted}' (FORMAT parquet, USE_TMP_FILE false)",
        "",
        "SELEC 1",
        "SELECT * FROM jeu.u",
        "SELECT * FROM query('COPY (SELECT 1) TO ''/tmp/x''')",
    ],
)
def test_only_one_select_on_what_is_granted_is_answered_and_nothing_is_written(jeu, sql):
    (granted,) = (jeu.root / "var/lake/jeu/open/t").glob("*.parquet")
    before = granted.read_bytes()
    with pytest.raises((QueryError, duckdb.Error)):
        select(connect(jeu.lab, EVERYONE), sql.replace("{granted}", str(granted))).fetchall()
    assert granted.read_bytes() == before


def test_the_files_of_another_edition_cannot_be_opened(jeu):
    (raw,) = (jeu.root / "var/lake/jeu/raw/t").glob("*.parquet")
    (granted,) = (jeu.root / "var/lake/jeu/open/t").glob("*.parquet")
    with pytest.raises(Exception, match="Permission Error"):
        connect(jeu.lab, EVERYONE).execute(f"SELECT * FROM read_parquet('{raw}')").fetchall()
    assert connect(jeu.lab, EVERYONE).execute(f"SELECT count(*) FROM read_parquet('{granted}')").fetchall() == [(2,)]


def test_a_damaged_file_is_an_error_and_not_fewer_rows(jeu):
    (path,) = (jeu.root / "var/lake/jeu/open/t").glob("*.parquet")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(LakeError, match=path.name):
        connect(jeu.lab, EVERYONE)


def test_the_command_writes_csv_json_and_parquet_that_hold_the_same_rows(jeu, datalab):
    sql = "SELECT * FROM jeu.t ORDER BY code"
    assert datalab("query", sql, "--format", "csv").out.splitlines() == [
        '"code","nom","note","montant"',
        '"01","été","=1+1",1.50',
        '"2A",",",,2.25',
    ]
    assert json.loads(datalab("query", sql, "--format", "json").out) == [
        {"code": "01", "nom": "été", "note": "=1+1", "montant": 1.5},
        {"code": "2A", "nom": ",", "note": None, "montant": 2.25},
    ]


def test_the_command_writes_parquet(jeu):
    out = io.BytesIO()
    write(select(connect(jeu.lab, EVERYONE), "SELECT code FROM jeu.t"), Format.parquet, out, Console())
    assert pq.read_table(io.BytesIO(out.getvalue()))["code"].to_pylist() == ["01", "2A"]


def test_the_command_prints_a_table_for_a_person(jeu, datalab):
    ran = datalab("query", "SELECT code, nom FROM jeu.t")
    assert ran.code == 0
    assert "été" in ran.out
    assert "│" in ran.out


def test_an_unknown_principal_is_named_with_those_that_exist(jeu, datalab):
    ran = datalab("query", "SELECT 1", "--as", "partenaire")
    assert ran.code == 1
    assert "unknown user 'partenaire'; did you mean 'partner'" in ran.err
    assert "Traceback" not in ran.err


def test_bad_sql_is_an_error_with_code_1_and_no_traceback(jeu, datalab):
    ran = datalab("query", "SELECT montnt FROM jeu.t")
    assert ran.code == 1
    assert "montant" in ran.err
    assert "Traceback" not in ran.err


def test_what_is_not_there_is_answered_with_what_is_granted(jeu, datalab):
    assert "granted here: jeu.t" in datalab("query", "SELECT * FROM jeu.u").err
    jeu.grant(
        "jeu", {"open": {"t": {"keep": ["code"]}}}, {"to": "user:steward", "edition": "raw", "until": "2999-01-01"}
    )
    assert "nothing is granted here" in datalab("query", "SELECT * FROM jeu.t").err


@pytest.mark.parametrize("form", ["csv", "json", "table", "parquet"])
def test_two_columns_of_one_name_are_refused_rather_than_one_of_them_lost(jeu, datalab, form):
    ran = datalab("query", "SELECT a.nom, b.code AS nom FROM jeu.t a, jeu.t b", "--format", form)
    assert (ran.code, ran.out) == (1, "")
    assert "two columns of the answer are called 'nom'" in ran.err


def test_no_decimal_is_written_with_an_exponent(jeu, datalab):
    sql = "SELECT 0::DECIMAL(18,15) AS a, 1e-7::DECIMAL(18,9) AS b, 1.5 AS c"
    assert datalab("query", sql, "--format", "csv").out.splitlines()[1] == '"0.000000000000000","0.000000100",1.5'
    shown = datalab("query", sql).out
    assert "0.000000000000000" in shown
    assert "0.000000100" in shown
    sql = "SELECT '0.00000000000000000012345678901234567891'::DECIMAL(38,38) AS a"
    told = datalab("query", sql, "--format", "json").out
    assert json.loads(told) == [{"a": "0.00000000000000000012345678901234567891"}]


def test_json_has_no_nan(jeu, datalab):
    ran = datalab("query", "SELECT 'NaN'::DOUBLE AS a, [1.5, 'inf'::DOUBLE] AS b, 1.10 AS c", "--format", "json")
    assert json.loads(ran.out) == [{"a": "nan", "b": [1.5, "inf"], "c": 1.1}]


def test_a_saved_query_is_asked_by_its_file_and_one_that_is_not_there_says_what_is_expected(folder, datalab):
    folder.table("jeu", "a\n1\n2\n")
    folder.grant("jeu", {"open": {"t": {"keep": ["a"]}}})
    datalab("ingest")
    path = folder.write("queries/somme.sql", "-- la somme\nSELECT sum(a) AS s FROM jeu.t;\n")
    assert datalab("query", str(path), "--format", "csv").out.split() == ['"s"', "3"]
    ran = datalab("query", "queries/none.sql")
    assert ran.code == 1
    assert "queries/none.sql: cannot be read: No such file or directory; expected one SELECT, or the path" in ran.err
