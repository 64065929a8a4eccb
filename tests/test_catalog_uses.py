from __future__ import annotations

import datetime as dt
import threading

from catalog.search.uses import HALF_LIFE, Uses

DAY = dt.date(2026, 3, 1)


def test_downloads_are_counted_and_read_by_another_process(tmp_path):
    uses = Uses(tmp_path / "uses.sqlite", lambda: DAY)
    assert uses.downloads() == {}
    for slug in ("a", "b", "a"):
        uses.count(slug)
    assert uses.downloads() == {"a": 2, "b": 1}
    assert Uses(tmp_path / "uses.sqlite", lambda: DAY).downloads() == {"a": 2, "b": 1}


def test_old_downloads_are_worth_less(tmp_path):
    day = [DAY]
    uses = Uses(tmp_path / "uses.sqlite", lambda: day[0])
    uses.count("a")
    uses.count("a")
    day[0] = DAY + HALF_LIFE
    assert uses.downloads() == {"a": 1}
    uses.count("a")
    assert uses.downloads() == {"a": 2}


def test_many_at_once_are_all_counted(tmp_path):
    many = [Uses(tmp_path / "uses.sqlite", lambda: DAY) for _ in range(4)]
    threads = [threading.Thread(target=lambda one=one: [one.count("a") for _ in range(25)]) for one in many]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Uses(tmp_path / "uses.sqlite", lambda: DAY).downloads() == {"a": 100}


def test_a_file_that_is_no_counter_stops_nothing(tmp_path):
    path = tmp_path / "uses.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    uses = Uses(path, lambda: DAY)
    uses.count("a")
    assert uses.downloads() == {}
    assert Uses(tmp_path / "nowhere" / "uses.sqlite").downloads() == {}
    Uses(tmp_path / "nowhere" / "uses.sqlite").count("a")
