"""What the dataset page reads from the lake is read once a snapshot, and never shown when it is no longer so."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from catalog.entries import EVERYONE, entries
from catalog.web import pages


@pytest.fixture
def reads(monkeypatch):
    """The tables that were really read."""
    seen = []
    real = pages._read  # noqa: SLF001  counted, not replaced
    monkeypatch.setattr(
        pages, "_read", lambda lab, entry, name, kept: seen.append(name) or real(lab, entry, name, kept)
    )
    return seen


def test_a_second_view_reads_nothing_again_in_either_language(portal, reads):
    def view(lang):
        return portal.http.get("/datasets/subventions", params={"lang": lang}).text

    deadline = time.monotonic() + 60
    while "Reste à comparer" in view("fr"):  # what tables join is found beside, and told when it is
        assert time.monotonic() < deadline, "the tables are not compared"
    pages_seen = {view(lang) for lang in ("fr", "fr", "en")}
    assert len(pages_seen) == 2
    assert reads == ["versements"]


def test_a_file_lost_after_the_first_view_is_told_and_not_hidden(portal, reads):
    assert "ne peut pas être lu" not in portal.http.get("/datasets/subventions").text
    (path,) = (portal.lab.lake.edition_path("subventions", "open") / "versements").glob("*.parquet")
    kept = path.read_bytes()
    path.unlink()
    assert "ne peut pas être lu" in portal.http.get("/datasets/subventions").text
    path.write_bytes(kept)
    assert "ne peut pas être lu" not in portal.http.get("/datasets/subventions").text


def test_the_memory_is_bounded(portal, monkeypatch):
    monkeypatch.setattr(pages, "TABLES_KEPT", 1)
    reader = pages.Reader(portal.lab)
    for entry in entries(portal.lab, EVERYONE):
        for name in entry.resources:
            reader.facts(entry, name, None)
    assert len(reader._kept) == 1  # noqa: SLF001  the memory itself


def test_many_views_at_once_all_answer(portal):
    with ThreadPoolExecutor(30) as threads:
        answers = list(threads.map(lambda _: portal.http.get("/datasets/subventions").status_code, range(30)))
    assert set(answers) == {200}
