"""Two thousand datasets in a real CKAN: some at a time, none twice, and a run without changes asks next to nothing."""

from __future__ import annotations

from collections import Counter

import pytest
import yaml
from conftest import LabFolder

from bench.many import multiply

MANY = 2000


@pytest.fixture
def many(published, tmp_path):
    """The two small datasets, a thousand times each."""
    root = tmp_path / "many"
    root.mkdir()
    multiply(published.folder.lab, root, MANY, [f"Commune {number}" for number in range(MANY)])
    published.folder = LabFolder(root)
    return published


def test_two_thousand_are_published_and_then_nothing_is_written_but_what_changes(many):
    assert many.run().summary == f"{MANY + 2} created, 0 updated, 0 unchanged, 0 deleted"
    asked = Counter(action for action, _ in many.between.asked)
    assert asked["package_create"] == MANY
    assert asked["package_show"] == 0
    assert sum(asked.values()) < MANY + 30
    assert many.between.most_at_once <= 4
    assert many.call("package_search", rows=0)["count"] == MANY

    assert many.run().todo == ()
    assert many.between.writes == []
    assert len(many.between.asked) < 10

    path = many.folder.root / "datasets" / "bornes_1500.yaml"
    described = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**described, "title": {"fr": "Une autre"}}))
    assert [action.name for action in many.run().todo] == ["bornes_1500"]
    assert many.between.writes == ["package_revise"]
    assert many.show("bornes_1500")["title"] == "Une autre"
