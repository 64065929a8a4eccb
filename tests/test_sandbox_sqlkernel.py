"""The SQL kernel: what it shows and completes, and how it answers in a real jail."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
import pytest
from fixtures_sandbox import make_lab
from hypothesis import given
from hypothesis import strategies as st

from sandbox.inside.sqlkernel.complete import completed
from sandbox.inside.sqlkernel.shown import CELLS_SHOWN, ROWS_SHOWN, as_html, as_text
from sandbox.notebook import run_notebook

TABLES = {
    ("main", "datasets"): ["dataset", "edition"],
    ("irve", "bornes"): ["id", "geo", "nom commun"],
    ("irve@open", "bornes"): ["id"],
    ("communes", "communes"): ["COM", "DEP"],
}


def at_end(code: str) -> list[str]:
    return completed(code, len(code), TABLES)[0]


def test_tables_columns_and_words_complete_by_how_they_begin():
    assert at_end("FROM ir") == ["irve.bornes", '"irve@open".bornes']
    assert at_end('FROM "irve@o') == ['"irve@open".bornes']
    assert at_end("FROM irve.b") == ["irve.bornes"]
    assert at_end("SEL") == ["SELECT"]
    assert at_end("FROM data") == ["dataset", "datasets"]


def test_columns_are_those_of_the_tables_that_the_cell_names():
    code = "SELECT c FROM communes.communes"
    assert completed(code, 8, TABLES)[0][:1] == ["COM"]
    assert completed("SELECT n FROM irve.bornes", 8, TABLES)[0][0] == '"nom commun"'
    assert "COM" not in completed("SELECT c FROM irve.bornes", 8, TABLES)[0]


def test_what_is_completed_begins_where_the_word_does():
    code = "SELECT x FROM irve.bo WHERE y"
    assert completed(code, 21, TABLES) == (["irve.bornes"], 14)


@given(st.text(max_size=60), st.integers(0, 60))
def test_no_text_brings_completion_down(code, cursor):
    matches, start = completed(code, min(cursor, len(code)), TABLES)
    assert 0 <= start <= len(code)
    assert all(isinstance(one, str) for one in matches)


values = st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.binary(), st.booleans(), st.lists(st.text()))


@given(st.lists(st.tuples(values, values)), st.text(), st.booleans())
def test_whatever_a_table_holds_is_shown_as_text_in_its_html(rows, name, more):
    html = as_html(["a", name], rows, more=more, wider=0)
    tags = r"</?(table|thead|tbody|tr|th|td|p|em)( style=\"[a-z: .0-9-]+\")?>"
    assert "<" not in re.sub(tags, "", html)
    assert html.count("<tr>") == len(rows) + 1
    assert as_text(["a", name], rows, more=more, wider=0)


def test_what_is_cut_is_said():
    assert "the first 2 rows; 3 more columns" in as_html(["a"], [[1], [2]], more=True, wider=3)
    assert as_text(["a", "b"], [[1, None], ["x" * 100, b"\x00"]], more=False, wider=0).splitlines()[1:3] == [
        f"{'1':<40}  NULL",
        f"{'x' * 39}…  \\x00",
    ]


ERRORS = (
    ("SELEC 1", "syntax error"),
    ("SELECT nom FROM irve.bornes", "nom"),
    ("FROM irve.borne", "bornes"),
    ("COPY (SELECT 1) TO '/data/x.csv'", "x.csv"),
    ("FROM secret.bornes", "secret"),
)
WIDE = ", ".join(f"{number} AS c{number}" for number in range(CELLS_SHOWN + 5))
CELLS = (
    "SELECT id, '<script>' AS s FROM irve.bornes ORDER BY id",
    " ; ",
    f"FROM range({ROWS_SHOWN + 50})",
    f"SELECT {WIDE}",
    *(query for query, _ in ERRORS),
    "SELECT 'it goes on' AS said",
)


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> list[dict]:
    """What each of CELLS answered, in one kernel in the jail of ada."""
    folder = tmp_path_factory.mktemp("sql")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    for cell in notebook.cells:
        cell.metadata["tags"] = ["raises-exception"]  # what fails is looked at here, and the next one runs
    notebook.metadata["kernelspec"] = {"name": "sql", "display_name": "SQL (lab)", "language": "sql"}
    (folder / "q.ipynb").write_text(nbformat.writes(notebook))
    out = run_notebook(make_lab(folder / "lab"), folder / "q.ipynb", "ada", out=folder / "out.ipynb")
    return [cell.outputs[0] if cell.outputs else {} for cell in nbformat.read(out, as_version=4).cells]


def test_a_cell_is_a_query_on_what_was_granted(answers):
    first, empty, long, broad = answers[:4]
    assert first["data"]["text/plain"].splitlines() == ["id  s", "a   <script>", "b   <script>", "2 rows"]
    assert "<td>a</td><td>&lt;script&gt;</td>" in first["data"]["text/html"]
    assert empty == {}
    assert f"the first {ROWS_SHOWN} rows" in long["data"]["text/html"]
    assert "5 more columns" in broad["data"]["text/html"]


def test_an_error_is_one_message_without_our_code_and_the_kernel_goes_on(answers):
    for (query, said), answer in zip(ERRORS, answers[4:], strict=False):
        assert answer["output_type"] == "error", query
        assert said in answer["evalue"]
        assert answer["traceback"] == [answer["evalue"]]
        assert "File " not in answer["evalue"]
    assert "it goes on" in answers[-1]["data"]["text/plain"]


def test_the_kernel_imports_nothing_of_the_product():
    folder = Path(__file__).parents[1] / "sandbox/inside/sqlkernel"
    imported = {
        name.partition(".")[0]
        for path in folder.glob("*.py")
        for name in re.findall(r"^\s*(?:from|import) ([\w.]+)", path.read_text(), re.MULTILINE)
        if not name.startswith(".")
    }
    assert imported <= {*sys.stdlib_module_names, "duckdb", "ipykernel", "lab"}
