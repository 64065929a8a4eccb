"""Coarser values, as the engine makes them from the SQL of the policies."""

from __future__ import annotations

import datetime as dt
import math
import re
from pathlib import Path

import duckdb
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.editions import EditionTable, Source, edition_sql
from policies.editions.grid import cell
from policies.editions.sql import form_sql


def source(columns: dict[str, str], item: str = "src") -> Source:
    return Source(item=item, columns=columns, place=lambda *keys: f"policies/x.yaml({'.'.join(map(str, keys))})")


def made(values: list, sql_type: str, how: object = None, **more: object) -> list:
    """What an edition makes of a column `c` of these values, before it puts them in an order of their own."""
    table = {"keep": ["c"], **({} if how is None else {"generalise": {"c": how}}), **more}
    statement = form_sql(EditionTable.model_validate(table), source({"c": sql_type}))
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"CREATE TABLE src (c {'BLOB' if sql_type == 'GEOMETRY' else sql_type})")
        con.executemany("INSERT INTO src VALUES (?)", [[one] for one in values])
        return [row[0] for row in con.execute(statement).fetchall()]


def test_dates_become_years_quarters_and_months():
    days = [dt.date(2024, 3, 31), dt.date(2024, 4, 1), None]
    assert made(days, "DATE", "year") == [2024, 2024, None]
    assert made(days, "DATE", "quarter") == ["2024-Q1", "2024-Q2", None]
    assert made(days, "DATE", "month") == ["2024-03", "2024-04", None]


def test_numbers_become_bands_with_open_ends():
    assert made([-1, 0, 17, 18, 64, 65, None], "INTEGER", {"bands": [0, 18, 65]}) == [
        "<0", "0-17", "0-17", "18-64", "18-64", "65+", None,
    ]  # fmt: skip
    assert made([17.9, 18, math.nan, math.inf], "DOUBLE", {"bands": [0, 18]}) == ["0-<18", "18+", None, "18+"]
    assert made([0.25, 1], "DECIMAL(9,2)", {"bands": [0.5, 1]}) == ["<0.5", "1+"]
    assert made([3], "BIGINT", {"bands": [3, 4]}) == ["3"]


def test_numbers_become_bands_of_one_width():
    assert made([0, 9, 10, 25, -1, -10, None], "BIGINT", {"width": 10}) == [
        "0-9", "0-9", "10-19", "20-29", "-10--1", "-10--1", None,
    ]  # fmt: skip
    assert made([0.05, 25], "DECIMAL(9,2)", {"width": 0.1}) == ["0-<0.1", "25-<25.1"]
    assert made([7], "BIGINT", {"width": 1}) == ["7"]
    assert made([255], "UTINYINT", {"width": 10}) == ["250-259"]


BIGINTS = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 200), min_size=1, max_size=30)
FEW = settings(max_examples=25, deadline=None)  # each opens a database


@FEW
@given(BIGINTS, st.lists(st.integers(-200, 200), min_size=1, max_size=5, unique=True))
def test_bands_part_all_whole_numbers_and_each_lies_where_its_label_says(values, bounds):
    for value, label in zip(values, made(values, "BIGINT", {"bands": sorted(bounds)}), strict=True):
        low, high = within(label)
        assert low <= value <= high


@FEW
@given(BIGINTS, st.integers(1, 300))
def test_a_whole_number_lies_in_the_band_of_its_width(values, width):
    for value, label in zip(values, made(values, "BIGINT", {"width": width}), strict=True):
        low, high = within(label)
        assert low <= value <= high
        assert high - low == width - 1
        assert low % width == 0


def within(label: str) -> tuple[float, float]:
    """The first and the last whole number of a band, by its label."""
    if label.startswith("<"):
        return -math.inf, int(label[1:]) - 1
    if label.endswith("+"):
        return int(label[:-1]), math.inf
    low, high = re.fullmatch(r"(-?\d+)(?:-(-?\d+))?", label).groups()
    return int(low), int(low if high is None else high)


def test_a_commune_lies_in_its_departement_by_its_code_in_corsica_and_overseas_too():
    codes = ["76540", "01001", "2A004", "2B033", "97105", "98818", "7654", "20004", "00001", "ABC", "976 ", None]
    assert made(codes, "VARCHAR", "departement") == [
        "76", "01", "2A", "2B", "971", "988", None, None, None, None, None, None,
    ]  # fmt: skip


def test_every_commune_of_the_example_lab_has_the_departement_that_insee_gives_it():
    communes = Path(__file__).parents[1] / "examples/normandie/sources/insee_cog2026_communes.csv"
    with duckdb.connect() as con:
        rows = con.execute(
            f"SELECT COM, DEP FROM read_csv('{communes}', all_varchar = true) WHERE TYPECOM = 'COM'"
        ).fetchall()
        con.execute("CREATE TABLE src AS SELECT unnest(?) AS c", [[code for code, _ in rows]])
        table = EditionTable.model_validate({"keep": ["c"], "generalise": {"c": "departement"}})
        found = con.execute(form_sql(table, source({"c": "VARCHAR"}))).fetchall()
    assert len(rows) > 34_000
    assert found == [(departement,) for _, departement in rows]


def test_values_beyond_a_bound_become_the_bound_and_what_is_not_there_stays_away():
    assert made([5, 100, None, -3], "INTEGER", top={"c": 90}, bottom={"c": 0}) == [5, 90, None, 0]
    assert made([5, 120, None], "INTEGER", {"width": 10}, top={"c": 95}) == ["0-9", "90-99", None]
    assert [float(one) for one in made([1.5, 3.25], "DECIMAL(9,2)", top={"c": 2.5})] == [1.5, 2.5]


def test_points_become_the_centre_of_their_cell():
    near = [shapely.to_wkb(shapely.Point(x, y)) for x, y in [(1.0993, 49.4431), (1.09931, 49.44311), (1.3, 49.4431)]]
    centres = [None if one is None else shapely.from_wkb(one) for one in made([*near, None], "GEOMETRY", {"grid": 500})]
    assert centres[0] == centres[1] != centres[2]
    assert centres[3] is None
    assert metres(centres[0].x, centres[0].y, 1.0993, 49.4431) <= 500 / math.sqrt(2) * 1.001


def test_a_shape_that_is_no_point_stops_the_edition_by_name():
    line = shapely.to_wkb(shapely.LineString([(0, 0), (1, 1)]))
    with pytest.raises(duckdb.Error, match=r"policies/x.yaml\(generalise.c\): column 'c' has other shapes than points"):
        made([line], "GEOMETRY", {"grid": 500})


def metres(x: float, y: float, other_x: float, other_y: float) -> float:
    """The distance of two near places on the sphere."""
    middle = math.cos(math.radians((y + other_y) / 2))
    return 111_195.08 * math.hypot((x - other_x) * middle, y - other_y)


def centre(x: float | None, y: float | None, size: float) -> tuple[float | None, float | None]:
    longitude, latitude = cell("x", "y", size)
    with duckdb.connect() as con:
        return con.execute(
            f"SELECT {longitude}, {latitude} FROM (SELECT ?::DOUBLE AS x, ?::DOUBLE AS y)", [x, y]
        ).fetchone()


@FEW
@given(st.floats(-179, 179), st.floats(-85, 85), st.sampled_from([100, 1000, 25_000]))
def test_a_place_lies_within_its_cell_and_its_centre_is_the_centre_of_itself(x, y, size):
    told = centre(x, y, size)
    assert metres(*told, x, y) <= size / math.sqrt(2) * 1.2
    assert centre(*told, size) == told


@pytest.mark.parametrize("place", [(None, 49.0), (1.0, None), (181.0, 49.0), (1.0, 91.0), (math.nan, 49.0)])
def test_half_a_place_and_a_place_that_is_none_has_no_cell(place):
    assert centre(*place, 1000) == (None, None)


def test_longitude_and_latitude_are_put_on_the_grid_together():
    how = {"x": {"grid": 1000, "latitude": "y"}}
    table = EditionTable.model_validate({"keep": ["y", "x"], "generalise": how, "rename": {"x": "lon"}})
    statement = edition_sql(table, source({"x": "DECIMAL(9,6)", "y": "DOUBLE"}))
    with duckdb.connect() as con:
        con.execute("CREATE TABLE src AS SELECT 1.099301::DECIMAL(9,6) AS x, 49.443102::DOUBLE AS y")
        found = con.execute(statement)
        assert [column[0] for column in found.description] == ["y", "lon"]
        latitude, longitude = found.fetchone()
    assert (longitude, latitude) == centre(1.099301, 49.443102, 1000)
    assert latitude != 49.443102
