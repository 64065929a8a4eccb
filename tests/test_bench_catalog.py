"""The benchmark of the catalogue: that the lab it makes is a real one, and that it judges by what was promised."""

from __future__ import annotations

import dataclasses

import pytest

from bench.catalog import promises, section
from bench.feeding import FeedTimes, feed_times
from bench.many import multiply
from bench.publishing import PublishTimes
from bench.searching import SearchTimes, search_times
from catalog.entries import EVERYONE, entries
from catalog.lab import Lab

PUBLISHED = PublishTimes(
    datasets=2000, before=12.0, after=8.0, side_by_side=11.0, at_once=4, first=250.0, again=12.5, written=0
)
SEARCHED = SearchTimes(
    datasets=2000,
    read=3.0,
    look=0.05,
    build=1.0,
    update=0.1,
    p50=2.0,
    p95=9.0,
    slowest=20.0,
    similar_p95=10.0,
    memory=100.0,
)
TOLD = FeedTimes(datasets=2000, first=0.01, whole=30.0, page=1.5, per_page=100, size=17.0, memory=1.0)


def held(published=PUBLISHED, searched=SEARCHED, told=TOLD):
    return [one for _, _, one in promises(published, searched, told)]


def changed(times, **changes):
    return dataclasses.replace(times, **changes)


def test_each_promise_is_judged_by_its_bound():
    assert PUBLISHED.bare == pytest.approx(9.6)
    assert held() == [True, True, True, True]
    assert held(changed(PUBLISHED, first=261.0)) == [False, True, True, True]
    assert held(changed(PUBLISHED, again=12.6)) == [True, False, True, True]
    assert held(changed(PUBLISHED, written=1)) == [True, False, True, True]
    assert held(searched=changed(SEARCHED, p95=50.0)) == [True, True, False, True]
    assert held(told=changed(TOLD, memory=20.0)) == [True, True, True, False]


def test_the_section_says_what_was_measured_and_what_did_not_hold():
    text = section(PUBLISHED, SEARCHED, changed(TOLD, memory=300.0), 1.5)
    assert "| **datalab publish**, first | 250 s, 8.0 datasets a second |" in text
    assert "| without changes in a twentieth of that, and no writes | 1/20, 0 writes | held |" in text
    assert "| the feed streamed, in less than 20 MB of memory | 300 MB for 17.0 MB | **not held** |" in text


def test_a_lab_is_multiplied_into_datasets_that_are_granted_searched_and_told(open_lab, tmp_path):
    many = tmp_path / "many"
    many.mkdir()
    multiply(open_lab, many, 30, ["Rouen", "Caen"])
    lab = Lab.open(many)
    shown = entries(lab, EVERYONE, pytest.fail)
    assert len(lab.slugs) == 30
    assert [entry.slug for entry in shown] == [
        slug
        for slug in lab.slugs
        if not slug.startswith("secrets")  # which nobody is granted
    ]
    assert {entry.dataset.title["fr"].rpartition("(")[2] for entry in shown} == {"Rouen)", "Caen)"}
    for entry in shown:
        for name, (_, served) in entry.resources.items():
            assert lab.lake.files(entry.slug, entry.edition, name, served)
    assert search_times(lab).datasets == feed_times(lab).datasets == len(shown)
