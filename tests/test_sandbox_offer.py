"""What `sandbox lab` hands in of the lab's notebooks: copies without any answer."""

import json

import nbformat
import pytest
from fixtures_sandbox import answered

from sandbox.offer import offered, stripped

MOST = 10_000


def test_a_notebook_is_offered_with_its_sources_and_without_any_result():
    fresh = json.loads(stripped(json.dumps(answered()).encode()))
    assert fresh == {
        "cells": [
            {
                "cell_type": "code",
                "id": "one",
                "source": "lab.table('irve@raw.bornes')",
                "metadata": {"tags": ["kept"]},
                "execution_count": None,
                "outputs": [],
            }
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    nbformat.validate(fresh, version=4)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"cells": 3, "metadata": {}, "nbformat": 4}',
        b'{"cells": ["x"], "metadata": {}, "nbformat": 4}',
        b'{"cells": [], "metadata": null, "nbformat": 4}',
        b'{"worksheets": [], "metadata": {}, "nbformat": 3}',
    ],
)
def test_what_is_no_notebook_is_not_stripped_but_refused(text):
    assert stripped(text) is None


def test_executed_copies_links_and_other_files_are_not_offered(tmp_path):
    warnings = []
    for name in ("a.ipynb", "a.executed.ipynb"):
        (tmp_path / name).write_text(json.dumps(answered()))
    (tmp_path / "rows.csv").write_text("a raw row")
    (tmp_path / "rows.ipynb").write_text("a raw row")
    (tmp_path / "big.ipynb").write_text(json.dumps(answered()) + " " * MOST)
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "a.executed.ipynb")
    (tmp_path / "folder.ipynb").mkdir()
    assert list(offered(tmp_path, MOST, warnings.append)) == ["/notebooks/a.ipynb"]
    assert [warning.partition(":")[0] for warning in warnings] == [
        str(tmp_path / "big.ipynb"),
        str(tmp_path / "rows.ipynb"),
    ]


def test_a_lab_without_notebooks_offers_none(tmp_path):
    assert offered(tmp_path / "notebooks", MOST, print) == {}
