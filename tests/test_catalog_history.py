from __future__ import annotations

import datetime as dt

import pytest
from conftest import STEWARD
from hypothesis import given
from hypothesis import strategies as st

from catalog.history import at, snapshot, snapshots
from catalog.query import connect
from ingest.run import ingest
from policies.errors import UsageError

DAY = dt.datetime(2026, 3, 1, 23, 59, 59, 999999, tzinfo=dt.UTC)


@pytest.fixture
def aged(folder):
    """A lab whose table `jeu.t`, of an edition that everyone gets, has three snapshots of 1, 2 and 3 rows."""
    folder.grant("jeu", {"open": {"t": {"keep": ["a"]}}})
    for rows in (1, 2, 3):
        folder.table("jeu", "a,b\n" + "x,y\n" * rows)
        list(ingest(folder.lab, "jeu", lambda _: None))
    return folder


def granted(folder):
    (edition,) = folder.lab.granted(frozenset({"everyone"}))
    return edition


def rows(folder, when):
    con = connect(folder.lab, frozenset({"everyone"}), as_of=when)
    return con.execute("SELECT count(*) FROM jeu.t").fetchone()[0]


def test_a_version_and_the_moment_at_which_it_was_committed_give_its_rows(aged):
    found = list(snapshots(aged.lab, granted(aged), "t"))
    assert [(one.version, one.rows) for one in found] == [(2, 3), (1, 2), (0, 1)]
    assert [rows(aged, version) for version in (0, 1, 2)] == [1, 2, 3]
    now = dt.datetime.now(dt.UTC)
    assert rows(aged, now) == 3


def test_before_the_first_snapshot_there_was_nothing(aged):
    with pytest.raises(UsageError, match=r"jeu@open.t: no snapshot of 2020-01-01 00:00 UTC can be read: there is none"):
        snapshot(aged.lab, granted(aged), "t", dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    told = []
    connect(aged.lab, frozenset({"everyone"}), as_of=dt.datetime(2020, 1, 1, tzinfo=dt.UTC), absent=told.append)
    assert len(told) == 1


def test_an_unknown_version_is_named_with_those_that_there_are(aged):
    with pytest.raises(
        UsageError, match=r"no snapshot of version 7 .*: version 2 \(.*\), version 1 \(.*\), version 0 \("
    ):
        snapshot(aged.lab, granted(aged), "t", 7)


def test_what_is_no_longer_kept_cannot_be_read_and_nothing_older_is_read_for_it(aged):
    served = snapshot(aged.lab, granted(aged), "t", 1)
    (name,) = served.files
    (granted(aged).path / "t" / name).unlink()
    with pytest.raises(UsageError, match="version 1 is no longer kept"):
        snapshot(aged.lab, granted(aged), "t", served.version)
    assert [one.version for one in snapshots(aged.lab, granted(aged), "t")] == [2, 0]


def test_a_policy_that_takes_a_row_away_takes_it_out_of_the_past_too(aged):
    aged.grant("jeu", {"open": {"t": {"keep": ["a"], "where": "false"}}})
    list(ingest(aged.lab, "jeu", lambda _: None))
    # Who goes back to the moment of another policy is told, and not given the snapshot before it
    assert [one.version for one in snapshots(aged.lab, granted(aged), "t")] == [3]
    with pytest.raises(UsageError, match="version 2 was made by another policy than today's"):
        snapshot(aged.lab, granted(aged), "t", 2)


def test_who_is_granted_nothing_has_no_past_either(aged):
    aged.grant(
        "jeu", {"open": {"t": {"keep": ["a"]}}}, {"to": "user:partner", "edition": "open", "until": "2999-01-01"}
    )
    con = connect(aged.lab, frozenset({"everyone"}), as_of=0)
    assert con.execute("SELECT count(*) FROM duckdb_views() WHERE NOT internal").fetchone() == (0,)


def test_the_raw_table_goes_back_whatever_the_policy(aged):
    grants = [{"to": "user:steward", "edition": "raw", "until": "2999-01-01"}]
    aged.grant("jeu", {"open": {"t": {"keep": ["b"]}}}, *grants)
    con = connect(aged.lab, STEWARD, as_of=0)
    assert con.execute("SELECT a, b FROM jeu.t").fetchall() == [("x", "y")]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("3", 3),
        ("0", 0),
        ("2026-03-01", DAY),
        ("20260301", DAY),
        ("2026-03-01T12:00", dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)),
        ("2026-03-01T12:00:00+01:00", dt.datetime(2026, 3, 1, 11, tzinfo=dt.UTC)),
    ],
)
def test_a_version_a_day_and_a_moment_are_understood(said, meant):
    assert at(said) == meant


@given(st.text(max_size=12))
def test_anything_else_is_refused_with_what_is_expected(said):
    try:
        at(said)
    except UsageError as error:
        assert "expected a version (3), a day (2026-03-01)" in str(error)  # noqa: PT017  most texts are refused


def test_query_answers_as_of_a_version_and_names_the_table_that_had_none(aged, datalab):
    asked = ("query", "SELECT count(*) AS n FROM jeu.t", "--format", "csv", "--as-of")
    assert datalab(*asked, "1").out.split() == ['"n"', "2"]
    ran = datalab(*asked, "2020-01-01")
    assert ran.code == 1
    assert ran.err.startswith("error: jeu@open.t: no snapshot of 2020-01-01 23:59 UTC can be read")
    assert "expected a version" in datalab(*asked, "hier").err


def test_the_receipt_shows_what_changed(aged, datalab):
    assert "1 row added, 0 removed" in datalab("receipt", "jeu.t").out
