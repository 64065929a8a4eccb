"""Rows of a table by the parameters of an address: the statement that is made of them, and what comes of it."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.lake import ServedColumn
from sandbox.sql.asked import ProblemError
from sandbox.sql.rows import rows

COLUMNS = (
    ServedColumn(name="id", type="VARCHAR"),
    ServedColumn(name="montant", type="DECIMAL(10,2)"),
    ServedColumn(name="date d'effet", type="DATE"),
    ServedColumn(name="a__b", type="BIGINT"),
)


def made(*asked: tuple[str, str]):
    return rows('"jeu"."t"', COLUMNS, asked)


def test_without_a_parameter_it_is_the_first_page_of_all_columns():
    plain = made()
    assert plain.page_sql == 'SELECT "id", "montant", "date d\'effet", "a__b" FROM "jeu"."t" LIMIT 20 OFFSET 0'
    assert plain.total_sql == f"SELECT count(*) AS total FROM ({plain.sql})"


def test_filters_bind_their_values_in_the_type_of_their_column():
    chosen = made(("montant__greater", "1000"), ("id__contains", "Rou'en"), ("a__b__in", "1,2"), ("columns", "id"))
    assert chosen.sql == (
        'SELECT "id" FROM "jeu"."t" WHERE "montant" >= CAST($1 AS DECIMAL(10,2)) '
        'AND contains(lower(CAST("id" AS VARCHAR)), lower($2)) AND "a__b" IN (CAST($3 AS BIGINT), CAST($4 AS BIGINT))'
    )
    assert chosen.params == ["1000", "Rou'en", "1", "2"]


def test_a_sort_keeps_the_order_of_rows_that_are_equal_so_that_pages_do_not_overlap():
    assert made(("montant__sort", "desc"), ("columns", "id"), ("page", "3"), ("page_size", "10")).page_sql == (
        'SELECT "id" FROM (SELECT *, row_number() OVER () AS "place" FROM "jeu"."t") '
        'ORDER BY "montant" DESC NULLS LAST, "place" LIMIT 10 OFFSET 20'
    )


def test_groups_and_aggregates_have_the_names_that_the_tabular_api_gives_them():
    assert made(("id__groupby", ""), ("montant__sum", ""), ("id__isnotnull", "")).sql == (
        'SELECT "id", sum("montant") AS "montant__sum" FROM "jeu"."t" '
        'WHERE "id" IS NOT NULL GROUP BY "id" ORDER BY "id"'
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("montant__greatest", "1", "'montant__greatest': expected COLUMN__OPERATOR; did you mean 'greater'"),
        ("montants__exact", "1", "there is no column 'montants'; did you mean 'montant'"),
        ("id", "1", "'id': expected COLUMN__OPERATOR"),
        ("montant__sort", "up; DROP", "montant__sort is asc or desc"),
        ("columns", "id,x", "there is no column 'x'"),
        ("page", "0", "page is a number from 1 to"),
        ("page", "１", "page is a number from 1 to"),  # noqa: RUF001  a full-width digit
        ("page_size", "1001", "page_size is a number from 1 to 1000"),
        ("page_size", "9" * 5000, "page_size is a number from 1 to 1000"),
    ],
)
def test_a_parameter_that_is_wrong_is_named_with_what_was_expected(name, value, said):
    with pytest.raises(ProblemError) as caught:
        made((name, value))
    assert caught.value.status == 400
    assert said in caught.value.said


def test_what_has_no_meaning_for_groups_is_refused_and_not_passed_over():
    for more in (("columns", "id"), ("montant__sort", "asc")):
        with pytest.raises(ProblemError, match="of rows, not of groups"):
            made(("id__groupby", ""), more)


def test_so_many_parameters_are_read_and_no_more():
    with pytest.raises(ProblemError, match="at most 200 parameters"):
        made(*[("id__exact", "x")] * 201)


@given(
    st.lists(
        st.tuples(st.sampled_from(["id", "n"]), st.sampled_from(["exact", "differs", "in"]), st.text()), max_size=4
    )
)
def test_whatever_a_value_says_it_is_a_value(asked):
    con = duckdb.connect()
    con.execute("CREATE TABLE t (id VARCHAR, n VARCHAR)")
    con.execute("INSERT INTO t VALUES ('a', NULL), ('b', '1')")
    columns = (ServedColumn(name="id", type="VARCHAR"), ServedColumn(name="n", type="VARCHAR"))
    texts = [(f"{column}__{operator}", value) for column, operator, value in asked if "\0" not in value]
    chosen = rows("t", columns, texts)
    found = con.execute(chosen.sql, chosen.params or None).fetchall()

    def kept(row):
        held = dict(zip(("id", "n"), row, strict=True))
        return all(
            {
                "exact": held[name.partition("__")[0]] == value,
                "differs": held[name.partition("__")[0]] != value,
                "in": held[name.partition("__")[0]] in value.split(","),
            }[name.partition("__")[2]]
            for name, value in texts
        )

    assert found == [row for row in (("a", None), ("b", "1")) if kept(row)]


def test_a_page_says_where_the_next_is_and_how_many_rows_there_are(gateway):
    first = gateway.get("/data/irve/open/bornes/rows?page_size=1&id__sort=desc").json()
    assert first["data"] == [{"id": "b"}]
    assert first["meta"] == {"page": 1, "page_size": 1, "total": 2}
    assert first["links"]["prev"] is None
    second = gateway.get(first["links"]["next"]).json()
    assert second["data"] == [{"id": "a"}]
    assert second["links"]["next"] is None
    assert gateway.get(second["links"]["prev"]).json() == first


def test_all_rows_come_in_another_form_and_a_page_of_them_when_one_is_asked_for(gateway):
    address = "/data/irve/open/bornes/rows?id__sort=asc"
    assert gateway.get(address, Accept="text/csv").text == '"id"\n"a"\n"b"\n'
    assert gateway.get(f"{address}&page_size=1&page=2", Accept="text/csv").text == '"id"\n"b"\n'


def test_rows_of_what_is_not_granted_are_not_there_also_in_an_engine_that_has_them(gateway):
    assert gateway.get("/data/irve/raw/bornes/rows?purpose=mobility", "ada").json()["meta"]["total"] == 3
    for user, address in ((None, "irve/raw"), ("ada", "irve/raw"), ("ada", "secret/raw"), ("eve", "irve/raw")):
        answer = gateway.get(f"/data/{address}/bornes/rows", user)
        assert answer.status_code == 404
        assert answer.json() == {"error": "there is nothing here, or nothing that you were granted"}


def test_a_value_that_is_none_of_its_columns_type_is_refused_by_the_engine(gateway):
    answer = gateway.get("/data/irve/raw/bornes/rows?purpose=mobility&geo__exact=x", "ada")
    assert answer.status_code == 400
