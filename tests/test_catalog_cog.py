"""Commune codes between years: INSEE's own events against its lists and populations, and the ways to ask."""

from __future__ import annotations

import duckdb
import pytest
from fixtures_cog import EVENTS, REPOSITORY, crosswalk, engine, grant, insee, listed
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.cog import convert, macros
from catalog.query import connect, select
from ingest.run import ingest
from policies.errors import QueryError

TODAY = """SELECT COM FROM "cog@open".communes WHERE TYPECOM IN ('COM', 'ARM')"""


@pytest.fixture(scope="module")
def cog():
    return insee()


@pytest.mark.parametrize(
    ("year", "number"),
    [(2015, 36658), (2016, 35885), (2017, 35416), (2018, 35357), (2019, 34970), (2020, 34968), (2024, 34935)],
)
def test_there_are_as_many_communes_as_insee_says_and_all_have_a_place_in_2026(cog, year, number):
    found = crosswalk(cog, year, 2026)
    districts = {code for code in found if code.startswith(("751", "132", "6938"))}
    assert (len(found) - len(districts), len(districts)) == (number, 45)
    today = {code for (code,) in cog.execute(TODAY).fetchall()}
    assert set().union(*(candidates for _, _, candidates in found.values())) == today
    assert all(candidates or state == "outside" for _, state, candidates in found.values())


@settings(max_examples=4, deadline=None)
@given(st.tuples(*[st.integers(1943, 2026)] * 3))
def test_conversions_compose_and_what_is_the_same_on_the_way_there_is_the_same_on_the_way_back(cog, years):
    first, middle, last = years
    here, on, straight, back = (
        crosswalk(cog, *ends) for ends in ((first, middle), (middle, last), (first, last), (middle, first))
    )
    for code, (to_code, state, candidates) in here.items():
        if to_code is not None and on[to_code][0] is not None:
            assert straight[code][0] == on[to_code][0]
        if state in {"same", "moved"}:
            assert back[to_code] == (code, state, {code})
        assert all(code in back[candidate][2] for candidate in candidates)


@pytest.mark.parametrize(
    ("years", "code", "to_code", "state"),
    [
        ((1970, 2026), "20004", "2A004", "moved"),  # Ajaccio: Corsica has had 2A and 2B since 1976
        ((2026, 1970), "2B033", "20033", "moved"),
        ((2007, 2008), "97127", None, "outside"),  # Saint-Martin left in February 2007
        ((2026, 2011), "97611", None, "outside"),  # Mamoudzou has a code since March 2011
        ((2026, 1946), "97411", None, "outside"),  # Saint-Denis of La Réunion, since March 1946
        ((2017, 2026), "14513", "50592", "merged"),  # Pont-Farcy: another département, and merged there the same day
        ((1967, 2026), "75113", "75113", "same"),
        ((1963, 2026), "69385", None, "split"),  # the 5th arrondissement of Lyon gave the 9th
        ((1945, 2026), "13055", "13055", "same"),  # Marseille, which has arrondissements since 1946
        ((1993, 2026), "97357", "97357", "same"),
        ((1960, 2026), "76540", "76540", "same"),
    ],
)
def test_codes_beside_the_rule_become_what_they_should(cog, years, code, to_code, state):
    assert crosswalk(cog, *years)[code][:2] == (to_code, state)


def test_the_populations_of_former_communes_add_up_to_those_of_the_communes_they_are_in(cog):
    """Of 492 communes, 488; and it is known why the others do not."""
    con = cog.cursor()
    con.execute(
        "CREATE TEMP TABLE census AS SELECT * REPLACE (pmun::BIGINT AS pmun), "
        "sum(pmun::BIGINT) FILTER (kind = 'part') OVER (PARTITION BY commune) AS parts "
        f"FROM read_csv('{REPOSITORY / 'tests/cog/populations-2016.csv'}', all_varchar = true)"
    )
    complete = "(SELECT commune FROM census WHERE kind = 'commune' AND pmun = parts)"
    for kind in ("part", "commune"):
        con.execute(
            f"CREATE TEMP TABLE {kind}s AS SELECT code, pmun FROM census SEMI JOIN {complete} USING (commune) "
            f"WHERE kind = '{kind}'"
        )
    assert con.execute("SELECT count(*), sum(pmun) FROM parts").fetchall() == [(1767, 1697443)]
    assert con.execute("SELECT count(*), sum(pmun) FROM communes").fetchall() == [(492, 1697443)]
    assert con.execute("FROM cog_check('parts', 'code', 'pmun', 1971, 2018, 'communes')").fetchall() == [
        ("27471", None, 208, True),  # Corneuil and Saint-Georges … gave land to Le Vaudreuil-Ville-Nouvelle
        ("44180", 5471, 6589, False),  # Freigné, Pont-Farcy and Gernicourt have codes that they had not in 1971
        ("50592", 1824, 2356, False),
        ("51171", 1426, 1467, False),
        (None, 1899, None, True),
    ]


@pytest.mark.parametrize(("from_year", "to_year"), [(2025, 2026), (2025, 2010), (2025, 1943), (2020, 2026)])
def test_populations_summed_after_a_conversion_are_those_before(cog, from_year, to_year):
    before = cog.sql("FROM populations")
    after = convert(before, "COM", from_year, to_year)
    assert after.aggregate("count(*), sum(PMUN)").fetchall() == before.aggregate("count(*), sum(PMUN)").fetchall()
    by_code = after.aggregate("COM, sum(PMUN) AS PMUN")
    assert by_code.aggregate("sum(PMUN)").fetchall() == before.aggregate("sum(PMUN)").fetchall()


def test_populations_that_add_up_are_said_to(cog):
    assert cog.execute("FROM cog_check('populations', 'COM', 'PMUN', 2025, 2026, 'populations')").fetchall() == []


def test_every_row_comes_back_once_with_its_old_code_and_what_became_of_it(cog):
    rows = [
        ("01001", "01001", "same"),
        ("69159", "69114", "moved"),
        ("01039", "01138", "merged"),
        ("15141", None, "split"),
        ("99999", None, "unknown"),
        ("1001", None, "unknown"),  # the zero was lost
        ("01015", "01015", "same"),
        ("01340", None, "unknown"),  # delegated since 2016, so no commune of 2022
        (None, None, "unknown"),
    ]
    values = ", ".join(
        f"({'NULL' if code is None else repr(code)}, {place})" for place, (code, _, _) in enumerate(rows)
    )
    moved = convert(cog.sql(f"SELECT * FROM (VALUES {values}) AS t(code, place)"), "code", 2022, 2025)
    assert moved.columns == ["code", "place", "code_2022", "code_2022_state"]
    assert moved.order("place").fetchall() == [
        (to_code, place, code, state) for place, (code, to_code, state) in enumerate(rows)
    ]


def test_two_columns_of_one_table_are_moved_one_after_the_other_and_there_and_back(cog):
    flows = cog.sql('SELECT \'69159\' AS home, \'49069\' AS "lieu de ""travail""", 3 AS people')
    both = convert(convert(flows, "home", 2023, 2026), 'lieu de "travail"', 2023, 2026)
    assert both.select('home, "lieu de ""travail"""').fetchall() == [("69114", "49126")]
    back = convert(both, "home", 2026, 2023)
    assert back.select("home, home_2026, home_2023").fetchall() == [("69159", "69114", "69159")]


def test_a_view_and_a_query_are_converted_by_sql_too(cog):
    con = cog.cursor()
    con.execute("CREATE TEMP VIEW vue AS SELECT '69159' AS com, 1 AS n")
    assert con.execute("FROM cog_convert('vue', 'com', 2023, 2026)").fetchall() == [("69114", 1, "69159", "moved")]
    answer = con.execute("FROM cog_convert('(FROM vue WHERE n > 1)', 'com', 2023, 2026)").fetchall()
    assert answer == []
    con.execute("CREATE TEMP VIEW moved AS FROM cog_convert('vue', 'com', 2023, 2026)")
    assert con.execute("SELECT com FROM moved").fetchall() == [("69114",)]


def test_a_column_that_is_not_there_holds_numbers_or_would_be_lost_is_named(cog):
    relation = cog.sql("SELECT 1001 AS com, '01001' AS code, '' AS code_2020")
    with pytest.raises(QueryError, match="no column 'COM'; expected one of com, code, code_2020"):
        convert(relation, "COM", 2020, 2026)
    with pytest.raises(QueryError, match="'com' is INTEGER: expected codes as text, such as 01001 and 2A004"):
        convert(relation, "com", 2020, 2026)
    with pytest.raises(QueryError, match="a column 'code_2020' already"):
        convert(relation, "code", 2020, 2026)
    with pytest.raises(duckdb.InvalidInputException, match="not INTEGER: give the column `type: text`"):
        cog.execute("FROM cog_convert('(SELECT 1001 AS com)', 'com', 2020, 2026)")
    with pytest.raises(duckdb.BinderException, match='does not have a column named "comm"'):
        cog.execute("FROM cog_convert('populations', 'comm', 2020, 2026)")


@pytest.mark.parametrize("years", ["1942, 2026", "2000, 2027", "NULL, 2026", "2026, -1"])
def test_years_that_the_events_do_not_tell_are_refused_with_those_they_do(cog, years):
    with pytest.raises(duckdb.InvalidInputException, match="from .* to .*: expected years from 1943 to 2026; of these"):
        cog.execute(f"FROM cog_crosswalk({years})").fetchall()


def test_a_year_that_differs_from_row_to_row_is_refused_rather_than_worked_out_a_row_at_a_time(cog):
    with pytest.raises(duckdb.BinderException, match="only supports literals"):
        cog.execute("SELECT * FROM range(2000, 2003) AS t(year), LATERAL (FROM cog_crosswalk(year, 2026))")


def test_without_a_list_of_communes_a_code_in_the_right_form_that_no_event_names_stays():
    con = engine(listed([("41", "2001-06-01", "COM", "20001", "COM", "2A001")], EVENTS))
    relation = con.sql("SELECT unnest(['20001', '2B123', '76540', '7654', '2C001']) AS code")
    assert set(convert(relation, "code", 2001, 2002).fetchall()) == {
        ("2A001", "20001", "moved"),
        ("2B123", "2B123", "same"),
        ("76540", "76540", "same"),
        (None, "7654", "unknown"),
        (None, "2C001", "unknown"),
    }


def test_of_several_tables_with_insee_s_columns_the_longest_counts():
    con = duckdb.connect()
    row = ("41", "2001-06-01", "COM", "20001", "COM", "2A001")
    for schema, count in (("a@open", 1), ("b@open", 2), ("c@open", 1)):
        con.execute(f'CREATE SCHEMA "{schema}"')
        con.execute(f'CREATE TABLE "{schema}"."évènements" AS {listed([row] * count, EVENTS.lower())}')
    made = macros([grant(con, name, "open", "évènements") for name in ("a", "b", "c")])
    assert made is not None
    assert '"b@open"."évènements"' in made
    assert '"a@open"' not in made


def test_a_table_that_lacks_one_of_insee_s_columns_or_has_codes_as_numbers_makes_no_macro():
    con = duckdb.connect()
    con.execute('CREATE SCHEMA "a@open"')
    con.execute('CREATE TABLE "a@open".t AS SELECT 1 AS MOD, 2 AS DATE_EFF')
    con.execute(f'CREATE TABLE "a@open".u ({EVENTS.replace("COM_AP VARCHAR", "COM_AP INTEGER")})')
    assert macros([grant(con, "a", "open", "t", "u")]) is None
    with pytest.raises(QueryError, match="no granted table holds INSEE's events"):
        convert(con.sql("SELECT '01001' AS code"), "code", 2020, 2026)


@pytest.fixture
def events(folder):
    """A lab with the events of one day: 01002 merged into 01001, and a table of three communes."""
    folder.write(
        "sources/events.csv",
        "mod,date_eff,typecom_av,com_av,typecom_ap,com_ap\n"
        "31,2001-06-01,COM,01001,COM,01001\n31,2001-06-01,COM,01002,COM,01001\n",
    )
    folder.write("sources/people.csv", "code,people\n01001,10\n01002,20\n01003,30\n")
    text = {"code": {"type": "text"}}
    folder.describe(
        "codes",
        {
            "events": {"source": {"file": "sources/events.csv"}},
            "people": {"source": {"file": "sources/people.csv"}, "columns": text},
        },
    )
    keep = {"events": {"keep": ["mod", "date_eff", "typecom_av", "com_av", "typecom_ap", "com_ap"]}}
    folder.grant(
        "codes",
        {"open": {"people": {"keep": ["code", "people"]}}, "all": {**keep, "people": {"keep": ["code", "people"]}}},
        {"to": "everyone", "edition": "open"},
        {"to": "user:steward", "edition": "all", "until": "2999-01-01"},
    )
    list(ingest(folder.lab, "codes", lambda _: None))
    return folder


def test_the_command_converts_where_the_events_are_granted_and_nowhere_else(events, datalab):
    sql = (
        "SELECT code, sum(people) AS people FROM cog_convert('codes.people', 'code', 2001, 2002) GROUP BY 1 ORDER BY 1"
    )
    ran = datalab("query", sql, "--as", "steward", "--format", "csv")
    assert (ran.code, ran.out.splitlines()) == (0, ['"code","people"', '"01001",30', '"01003",30'])
    ran = datalab("query", sql)
    assert (ran.code, ran.out) == (1, "")
    assert "cog_convert does not exist" in ran.err
    ran = datalab("query", sql.replace("2002", "2003"), "--as", "steward")
    assert ran.code == 1
    assert "codes.events tells the communes of 1 January" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "sql",
    [
        "FROM cog_convert('read_text(''/etc/passwd'')', 'content', 2001, 2002)",
        "FROM cog_convert('''/etc/passwd''', 'code', 2001, 2002)",
        "FROM cog_convert('\"codes@raw\".people', 'code', 2001, 2002)",
        "FROM cog_convert('codes.people; COPY (SELECT 1) TO ''/tmp/x''', 'code', 2001, 2002)",
        "FROM cog_convert('(COPY (SELECT 1) TO ''/tmp/x'')', 'code', 2001, 2002)",
        "FROM cog_crosswalk('2001; SET threads = 2', 2002)",
    ],
)
def test_the_macros_open_nothing_that_was_closed(events, sql):
    con = connect(events.lab, frozenset({"everyone", "user:steward"}))
    with pytest.raises((QueryError, duckdb.Error)):
        select(con, sql).fetchall()
