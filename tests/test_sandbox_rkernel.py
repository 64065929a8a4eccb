"""Debian's kernel for R in a real jail."""

import nbformat
from fixtures_sandbox import make_lab

from sandbox.notebook import run_notebook

CELL = """
numbers <- c(1, 2, 3)
write.csv(data.frame(n = numbers), file.path(Sys.getenv("HOME"), "n.csv"))
cat(mean(numbers), Sys.info()[["user"]], list.files("/data"))
"""


def test_r_computes_in_the_jail_of_its_user_and_sees_what_was_granted_there(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    notebook.metadata["kernelspec"] = {"name": "ir", "display_name": "R", "language": "R"}
    (tmp_path / "r.ipynb").write_text(nbformat.writes(notebook))
    out = run_notebook(make_lab(tmp_path / "lab"), tmp_path / "r.ipynb", "ada", out=tmp_path / "out.ipynb")
    (said,) = nbformat.read(out, as_version=4).cells[0].outputs
    assert said.text == "2 lab datasets.json irve"
