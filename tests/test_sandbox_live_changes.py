"""What goes out of a sandbox and what comes in, without one."""

import datetime as dt
from pathlib import Path

import pytest

from catalog.lab import Granted
from catalog.lake import Current, Served
from sandbox.live.changes import Changes, Shown, changes, shown

DAY = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def granted(edition, *, version=1, definition="d1", made_with="k1", tables=("bornes",)):
    receipt = {"definition": definition, "made_with": {"key": made_with}} if definition else {}
    served = Served(version=version, files={}, rows=1, committed=DAY, columns=(), receipt=receipt)
    return Granted("irve", edition, Path("/lake"), Current(resources=dict.fromkeys(tables, served)))


OPEN, RAW = granted("open"), granted("raw", definition=None)


@pytest.mark.parametrize(
    ("before", "after", "gone", "come"),
    [
        ([], [], [], []),
        ([OPEN], [OPEN], [], []),
        ([], [OPEN], [], [OPEN]),
        ([OPEN, RAW], [OPEN], [RAW], []),
        ([OPEN], [RAW], [OPEN], [RAW]),
        ([OPEN], [granted("open", version=9)], [], []),
        ([OPEN], [granted("open", tables=("bornes", "more"))], [], []),
        ([OPEN], [granted("open", definition="d2")], [OPEN], [granted("open", definition="d2")]),
        ([OPEN], [granted("open", made_with="k2")], [OPEN], [granted("open", made_with="k2")]),
        ([granted("open", tables=("bornes", "more"))], [OPEN], [granted("open", tables=("bornes", "more"))], [OPEN]),
        ([RAW], [granted("raw", version=2, definition=None)], [], []),
    ],
    ids=[
        *("nothing", "the same", "given", "taken", "one for the other", "a later version", "a further table"),
        *("another definition", "another key", "a table that is served no more", "raw has no definition"),
    ],
)
def test_editions_come_and_go_and_snapshots_stay(before, after, gone, come):
    assert changes(map(shown, before), after) == Changes(tuple(map(shown, gone)), tuple(come))


def test_what_is_not_known_to_be_made_as_today_is_made_anew():
    old = Shown("irve", "open", {"bornes": ("another", "")})
    assert changes([old], [OPEN]) == Changes((old,), (OPEN,))


def test_there_is_nothing_to_do_only_where_nothing_comes_or_goes():
    assert [bool(one) for one in (Changes((), ()), Changes((shown(OPEN),), ()), Changes((), (OPEN,)))] == [0, 1, 1]
