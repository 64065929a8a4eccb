"""What was harvested, what a steward wrote, what the portal says now → what is written into her file, and only that."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.harvest.draft import Draft
from ingest.harvest.edit import edited
from ingest.harvest.merge import NOTHING, Change, merged, with_changes
from ingest.harvest.yamltext import descriptor_yaml, values_of

BASE = {
    "title": {"fr": "Bornes"},
    "description": {"fr": "Une phrase."},
    "licence": "LO-1.0",
    "keywords": {"fr": ["irve", "mobilité"]},
    "spatial": {"name": "Normandie", "regions": ["28"]},
    "temporal": {"start": "2020-01-01"},
    "harvested": {"portal": "https://p.example/", "identifier": "x1", "modified": "2024-01-01T00:00:00+00:00"},
    "resources": {"bornes": {"title": {"fr": "Bornes"}, "source": {"url": "https://p.example/1.csv"}, "origin": "p"}},
}
FILE = """\
# Repris de p.example ; voir avec Anne
title: {fr: Bornes, en: Charging points}   # l'anglais est de nous
description:
  # une phrase suffit
  fr: >-
    Une phrase.

licence: LO-1.0  # à vérifier
# to do: frequency: say it
keywords:
  fr:
    - irve
    - mobilité   # pas "mobilités"
spatial:
    name: "Normandie"
    regions: ["28"]   # la région
temporal: {start: 2020-01-01}
harvested: {portal: "https://p.example/", identifier: x1, modified: "2024-01-01T00:00:00+00:00"}

resources:
  bornes:
    title: {fr: Bornes}
    source: {url: "https://p.example/1.csv"}  # CSV
    origin: p
    columns:
      code: {type: commune}
# fin
"""


def test_the_example_says_what_the_tests_mean():
    ours = values_of(FILE, "f")
    assert ours["title"] == {"fr": "Bornes", "en": "Charging points"}
    assert {key: ours[key] for key in BASE if key not in {"title", "resources"}} == {
        key: BASE[key] for key in BASE if key not in {"title", "resources"}
    }


def changed(**changes: object) -> dict:
    return {**copy.deepcopy(BASE), **changes}


def stepped(theirs: dict, base: dict | None = BASE, *, adopted: bool = True) -> tuple[str | None, list[str]]:
    """The file after a harvest, and the places of its conflicts."""
    ours = values_of(FILE, "f")
    merge = merged(base, ours, theirs, adopted=adopted)
    return edited(FILE, ours, merge.changes), [".".join(one.path) for one in merge.conflicts]


def test_where_nothing_changed_upstream_not_a_sign_changes():
    assert stepped(changed()) == (FILE, [])


@pytest.mark.parametrize(
    ("theirs", "before", "after"),
    [
        ({"licence": "LO-2.0"}, "licence: LO-1.0  # à", "licence: LO-2.0  # à"),
        ({"title": {"fr": "Bornes de recharge"}}, "{fr: Bornes, en", "{fr: Bornes de recharge, en"),
        ({"frequency": "MONTHLY"}, "# to do: frequency: say it\n", "frequency: MONTHLY\n"),
        ({"description": {"fr": "Deux phrases. Ici."}}, "  fr: >-\n    Une phrase.\n", "  fr: Deux phrases. Ici.\n"),
        (
            {"temporal": {"start": "2021-01-01", "end": "2022-12-31"}},
            "{start: 2020-01-01}",
            "{start: 2021-01-01, end: 2022-12-31}",
        ),
        ({"temporal": NOTHING}, "temporal: {start: 2020-01-01}\n", ""),
        (
            {"spatial": {"name": "Normandie", "regions": ["28", "32"]}},
            'regions: ["28"]   #',
            'regions: ["28", "32"]   #',
        ),
        (
            {"spatial": {"name": "Normandie", "regions": ["28"], "bbox": [-2.0, 48.2, 1.9, 50.1]}},
            '    regions: ["28"]   # la région\n',
            '    regions: ["28"]   # la région\n    bbox: [-2.0, 48.2, 1.9, 50.1]\n',
        ),
        (
            {"landing_page": "https://p.example/x"},
            "temporal: {start: 2020-01-01}\n",
            'temporal: {start: 2020-01-01}\nlanding_page: "https://p.example/x"\n',
        ),
        (
            {"harvested": {**BASE["harvested"], "modified": "2025-01-01T00:00:00+00:00"}},
            "2024-01-01T00",
            "2025-01-01T00",
        ),
    ],
)
def test_what_the_steward_left_follows_the_portal_and_the_rest_of_the_file_stays(theirs, before, after):
    wanted = {key: value for key, value in changed(**theirs).items() if value is not NOTHING}
    made, conflicts = stepped(wanted)
    assert conflicts == []
    assert FILE.count(before) == 1
    assert made == FILE.replace(before, after)


def test_a_list_that_the_steward_left_is_replaced_with_its_lines():
    made, _ = stepped(changed(keywords={"fr": ["irve", "recharge"]}))
    assert values_of(made, "f")["keywords"] == {"fr": ["irve", "recharge"]}
    assert "# Repris de p.example" in made
    assert "spatial:\n    name:" in made


def test_a_tables_new_address_is_written_and_what_the_steward_said_of_its_columns_stays():
    theirs = changed()
    theirs["resources"]["bornes"]["source"] = {"url": "https://p.example/2.csv"}
    made, conflicts = stepped(theirs)
    assert conflicts == []
    assert made == FILE.replace("p.example/1.csv", "p.example/2.csv")


def test_what_both_changed_is_a_conflict_and_not_written():
    base = changed(licence="ODbL-1.0")
    made, conflicts = stepped(changed(licence="LO-2.0"), base)
    assert (made, conflicts) == (FILE, ["licence"])


def test_what_both_changed_alike_is_none():
    base = changed(licence="ODbL-1.0")
    assert stepped(changed(licence="LO-1.0"), base) == (FILE, [])


def test_what_is_needed_is_not_taken_out():
    theirs = {key: value for key, value in changed().items() if key != "licence"}
    made, conflicts = stepped(theirs)
    assert (made, conflicts) == (FILE, ["licence"])


def test_a_new_table_goes_into_a_draft_and_is_only_told_of_an_adopted_file():
    theirs = changed()
    theirs["resources"]["stations"] = {
        "title": {"fr": "Stations"},
        "source": {"url": "https://p.example/s.csv"},
        "origin": "p",
    }
    assert stepped(theirs) == (FILE, ["resources.stations"])
    made, conflicts = stepped(theirs, adopted=False)
    assert conflicts == []
    assert values_of(made, "f")["resources"].keys() == {"bornes", "stations"}
    assert made.endswith('    source: {url: "https://p.example/s.csv"}\n    origin: p\n# fin\n')


def test_a_table_that_is_gone_upstream_is_told_and_stays():
    theirs = changed(resources={"autre": BASE["resources"]["bornes"]})
    assert stepped(theirs) == (FILE, ["resources.autre", "resources.bornes"])


def test_a_table_that_the_steward_took_out_does_not_come_back():
    base = changed()
    base["resources"]["notice"] = {"title": {"fr": "Notice"}}
    assert stepped(copy.deepcopy(base), base) == (FILE, [])


def test_without_memory_nothing_of_the_stewards_is_written_over():
    made, conflicts = stepped(changed(licence="LO-2.0", frequency="MONTHLY"), None)
    assert made == FILE
    assert set(conflicts) == {"licence", "frequency"}


def test_the_mark_of_what_is_gone_is_one_word_and_goes_again():
    ours = values_of(FILE, "f")
    marked = edited(FILE, ours, [Change(("harvested", "gone"), NOTHING, "2026-11-28")])
    assert marked == FILE.replace('T00:00:00+00:00"}', 'T00:00:00+00:00", gone: 2026-11-28}')
    back = merged(BASE, values_of(marked, "f"), changed(), adopted=True)
    assert values_of(edited(marked, values_of(marked, "f"), back.changes), "f") == ours


def test_line_ends_of_windows_stay():
    text = FILE.replace("\n", "\r\n")
    made = edited(text, values_of(text, "f"), [Change(("licence",), "LO-1.0", "LO-2.0")])
    assert made == text.replace("licence: LO-1.0", "licence: LO-2.0")


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {b: 1}\nc: *x\nlicence: LO-1.0\n",  # a change of `a` would be one of `c`
        "a: {b: 1}\n? [complex]\n: key\n",
        "--- \na: {b: 1}\n...\n",
    ],
)
def test_a_form_that_cannot_be_changed_alone_is_left_alone(text):
    try:
        values = values_of(text, "f")
    except Exception:  # noqa: BLE001  it is none that a harvest would read
        return
    made = edited(text, values, [Change(("a", "b"), 1, 2)])
    assert made is None or values_of(made, "f") == {**values, "a": {"b": 2}}


SCALARS = st.one_of(
    st.text(max_size=8), st.integers(), st.sampled_from(["01001", "2024-01-01", "a: b", "x # y", "é\nè"])
)
LEAVES = st.one_of(SCALARS, st.lists(SCALARS, max_size=2))
NAMES = st.sampled_from(["title", "description", "licence", "spatial", "temporal", "provenance", "keywords"])
TREES = st.dictionaries(
    NAMES, st.one_of(LEAVES, st.dictionaries(st.sampled_from(["fr", "en", "name"]), LEAVES, max_size=3)), min_size=1
)
OWN = {"portal": "https://p.example/", "identifier": "x"}


def comments_in(text: str) -> str:
    """A file with a comment on a line of its own between all top-level keys."""
    lines: list[str] = []
    for line in text.splitlines():
        if line[:1].isalpha():
            lines.append(f"# avant {len(lines)}")
        lines.append(line)
    return "\n".join(lines) + "\n"


@settings(max_examples=150)
@given(TREES, TREES, TREES)
def test_a_merge_writes_just_what_it_says_and_a_second_finds_nothing_to_do(base, ours, theirs):
    base, ours, theirs = ({**one, "harvested": OWN} for one in (base, ours, theirs))
    text = comments_in(descriptor_yaml(Draft(slug="x", values=ours)))
    ours = values_of(text, "f")
    merge = merged(base, ours, theirs, adopted=True)
    made = edited(text, ours, merge.changes)
    assert made is not None
    after = values_of(made, "f")
    assert after == with_changes(ours, merge.changes)
    for change in merge.changes:
        assert change.value != change.before
    assert merged(theirs, after, theirs, adopted=True).changes == []
    kept = [line for line in text.splitlines() if line.startswith("# avant")]
    assert [line for line in made.splitlines() if line.startswith("# avant")] == kept
