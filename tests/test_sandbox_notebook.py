"""Notebooks executed in the real jail, and what is made of what comes out of it."""

import dataclasses
import json

import nbformat
import pytest

from policies.errors import SandboxError, UsageError
from sandbox import notebook
from sandbox import notebook as room
from sandbox.notebook import run_notebook, text_of


def write(path, *cells):
    code = [nbformat.v4.new_code_cell(cell) for cell in cells]
    path.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Title"), *code])))
    return path


def copy_of(lab, name, user="ada"):
    return lab.var / "runs" / user / f"{name}.executed.ipynb"


def test_a_notebook_is_executed_on_granted_tables_and_the_copy_is_its_owners_alone(lab, tmp_path):
    source = write(
        tmp_path / "demo.ipynb",
        "import lab, os, subprocess\nos.system('echo from a child'); subprocess.run(['echo', 'and another'])\n"
        "print(lab.datasets().project('dataset, edition, resource, rows, is_default').fetchall())",
        "lab.table('irve.bornes').df().shape, lab.table('irve@open.bornes').pl().shape",
        "lab.sql('SELECT st_astext(geo) AS x FROM irve.bornes ORDER BY x').to_arrow_table().to_pydict()",
    )
    before = source.read_bytes()
    copy = run_notebook(lab, source, "ada", purpose="mobility")
    assert copy == copy_of(lab, "demo")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.ipynb", "lab"]
    assert source.read_bytes() == before
    assert [path.stat().st_mode & 0o777 for path in (copy, copy.parent, copy.parent.parent)] == [0o600, 0o700, 0o700]
    nbformat.validate(nbformat.read(copy, as_version=4))
    lines = text_of(copy).splitlines()
    assert "from a child" in lines
    assert lines[-3:] == [
        "[('irve', 'open', 'bornes', 2, False), ('irve', 'raw', 'bornes', 3, True)]",
        "((3, 2), (2, 1))",
        "{'x': ['POINT (0 49)', 'POINT (1 49)', 'POINT (2 49)']}",
    ]


def test_the_copy_goes_where_it_is_told(lab, tmp_path):
    out = tmp_path / "elsewhere.ipynb"
    assert run_notebook(lab, write(tmp_path / "a.ipynb", "1 + 1"), "ada", out=out) == out
    assert text_of(out) == "2"
    assert not copy_of(lab, "a").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ipynb", "elsewhere.ipynb", "lab"]


def test_a_failing_cell_is_named_and_the_copy_is_written(lab, tmp_path):
    source = write(tmp_path / "a.ipynb", "print('before')", "import lab\nlab.table('irve.borne')", "print('after')")
    with pytest.raises(
        SandboxError, match=r"a\.ipynb: cell 3 failed: LookupError: there is no table 'irve\.borne'.*irve\.bornes"
    ):
        run_notebook(lab, source, "ada")
    said = text_of(copy_of(lab, "a"))
    assert "before" in said
    assert "after" not in said


def test_a_kernel_that_dies_is_named_and_the_copy_is_written(lab, tmp_path):
    source = write(tmp_path / "a.ipynb", "print('before')", "import os\nos._exit(3)")
    with pytest.raises(SandboxError, match=r"a\.ipynb: the kernel died.*a\.executed\.ipynb"):
        run_notebook(lab, source, "ada")
    assert "before" in text_of(copy_of(lab, "a"))


def test_a_notebook_that_never_ends_is_stopped_and_leaves_no_copy(lab, tmp_path):
    hurried = {**lab.settings, "sandbox": {**lab.settings["sandbox"], "seconds": 3}}
    with pytest.raises(SandboxError, match=r"a\.ipynb: stopped: it ran for more than 3 seconds"):
        run_notebook(dataclasses.replace(lab, settings=hurried), write(tmp_path / "a.ipynb", "while True: pass"), "ada")
    assert not copy_of(lab, "a").exists()


def test_a_notebook_that_says_too_much_is_stopped(lab, tmp_path):
    small = {**lab.settings, "sandbox": {**lab.settings["sandbox"], "output": "1MiB"}}
    with pytest.raises(SandboxError, match=r"a\.ipynb: stopped: it wrote more than 1048576 bytes"):
        run_notebook(
            dataclasses.replace(lab, settings=small), write(tmp_path / "a.ipynb", "print('x' * 5_000_000)"), "ada"
        )
    assert not copy_of(lab, "a").exists()


def forge(tmp_path, monkeypatch, answer):
    """Have the jail answer what a hostile kernel could make of it, by another script in place of ours."""
    text = f"import sys; sys.stdin.read(); sys.stdout.buffer.write({answer!r})".encode()
    monkeypatch.setattr(room, "script", lambda name: (f"/opt/datalab-scripts/{name}", text))
    return write(tmp_path / "a.ipynb", "1")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"not json",
        b"[]",
        b'{"cells": []}',
        b'{"cells": 3, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
        b'{"worksheets": [], "metadata": {}, "nbformat": 3, "nbformat_minor": 0}',
        b'{"cells": [{"cell_type": "code"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_what_comes_out_is_no_notebook_until_it_is_proven(lab, tmp_path, monkeypatch, answer):
    source = forge(tmp_path, monkeypatch, answer)
    with pytest.raises(SandboxError, match=r"a\.ipynb: what came out of the sandbox is not a notebook"):
        run_notebook(lab, source, "ada")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ipynb", "lab"]
    assert list(copy_of(lab, "a").parent.iterdir()) == []


def test_what_a_notebook_says_cannot_drive_the_terminal(lab, tmp_path):
    with pytest.raises(SandboxError) as caught:
        run_notebook(lab, write(tmp_path / "a.ipynb", r"raise ValueError('\x1b]0;owned\x07')"), "ada")
    assert "\x1b" not in str(caught.value)
    assert "\x1b" not in text_of(copy_of(lab, "a"))


@pytest.mark.parametrize(
    ("name", "out", "said"),
    [
        ("gone.ipynb", None, r"gone\.ipynb: cannot be read: No such file"),
        ("a.ipynb", "a.ipynb", "would take the place of the notebook"),
        ("a.ipynb", ".", "is to be a file in a folder that exists"),
        ("a.ipynb", "gone/b.ipynb", "is to be a file in a folder that exists"),
    ],
)
def test_a_wrong_path_is_named_before_anything_runs(lab, tmp_path, name, out, said):
    write(tmp_path / "a.ipynb", "1")
    with pytest.raises(UsageError, match=said):
        run_notebook(lab, tmp_path / name, "ada", out=None if out is None else tmp_path / out)


def test_something_that_is_no_notebook_is_refused(lab, tmp_path):
    (tmp_path / "a.ipynb").write_text("hello")
    with pytest.raises(SandboxError, match=r"a\.ipynb: could not be executed \(exit code 1\): .*JSON"):
        run_notebook(lab, tmp_path / "a.ipynb", "ada")


def test_text_of_keeps_the_order_of_cells_and_streams(tmp_path):
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["one\n", "two\n"]},
        {"output_type": "display_data", "data": {"text/plain": "three", "text/html": "<b>"}, "metadata": {}},
        {"output_type": "error", "ename": "E", "evalue": "four", "traceback": []},
    ]
    cells = [{"cell_type": "code", "outputs": outputs}, {"cell_type": "markdown", "source": "x"}]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    assert text_of(tmp_path / "a.ipynb") == "one\ntwo\nthree\nE: four"


def test_a_notebook_that_answers_half_a_character_is_written_all_the_same(tmp_path):
    output = {"output_type": "stream", "name": "stdout", "text": "a\ud800b"}
    notebook._write(tmp_path / "a.ipynb", {"cells": [{"cell_type": "code", "outputs": [output]}]}, mode=0o600)  # noqa: SLF001
    assert text_of(tmp_path / "a.ipynb") == "ab"
