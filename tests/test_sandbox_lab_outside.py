"""`lab.connect`: the words of a sandbox outside of one, on a real gateway."""

from __future__ import annotations

import datetime as dt
import importlib
import subprocess
import sys
from decimal import Decimal

import duckdb
import pytest
from fixtures_sandbox import REPOSITORY
from fixtures_web import reply, serving_raw, to


@pytest.fixture
def notebook(monkeypatch):
    """`import lab` on a machine that is no sandbox."""
    monkeypatch.syspath_prepend(str(REPOSITORY / "sandbox"))
    monkeypatch.setenv("DATALAB_DATA", "/nowhere")
    for name in [name for name in sys.modules if name.partition(".")[0] == "lab"]:
        monkeypatch.delitem(sys.modules, name)
    module = importlib.import_module("lab")
    yield module
    for name in [name for name in sys.modules if name.partition(".")[0] == "lab"]:
        del sys.modules[name]


def test_sql_table_and_datasets_answer_as_inside(notebook, gateway):
    outside = notebook.connect(gateway.url, gateway.token("ada"), purpose="mobility")
    assert notebook.sql("SELECT id FROM irve.bornes ORDER BY id").fetchall() == [("a",), ("b",), ("c",)]
    found = notebook.sql("SELECT id FROM irve.bornes WHERE id = $id", {"id": "b"})
    assert (found.fetchall(), found.fetchall()) == ([("b",)], [("b",)])  # a relation can be looked at again
    assert notebook.table("irve@open.bornes").fetchall() == [("a",), ("b",)]
    assert notebook.datasets().project("dataset, edition, is_default").fetchall() == [
        ("irve", "open", False),
        ("irve", "raw", True),
    ]
    assert gateway.token("ada") not in repr(outside)


def test_pip_installs_the_client_from_the_gateway_itself(gateway, tmp_path):
    address = f"{gateway.url}/{gateway.get('/').json()['python']}"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path), address]
    subprocess.run([*command, "--disable-pip-version-check", "--root-user-action=ignore"], check=True)
    code = "import lab, os; lab.connect(os.environ['URL']); print(lab.table('irve.bornes').fetchall())"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path), "URL": gateway.url, "DATALAB_TOKEN": gateway.token("eve")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "[('a',), ('b',)]\n"
    assert gateway.get("/client/other.whl").status_code == 404


def test_dates_and_decimals_can_be_parameters(notebook, gateway):
    notebook.connect(gateway.url, gateway.token("ada"))
    sql = "SELECT $1::DATE = DATE '2026-01-02' AS d, $2::DECIMAL(5,2) = 1.5 AS n"
    assert notebook.sql(sql, [dt.date(2026, 1, 2), Decimal("1.50")]).fetchall() == [(True, True)]


def test_what_is_refused_is_said_in_the_terms_of_python(notebook, gateway, monkeypatch):
    with pytest.raises(LookupError, match="this is no sandbox"):
        notebook.sql("SELECT 1")
    with pytest.raises(PermissionError, match="unknown or has ended"):
        notebook.connect(gateway.url, "dlab_00000000_" + "x" * 43)
    with pytest.raises(ValueError, match="there is no token"):
        notebook.connect(gateway.url)
    with pytest.raises(ValueError, match="expected https"):
        notebook.connect("http://datalab.example", "x")
    monkeypatch.setenv("DATALAB_TOKEN", gateway.token("ada"))
    notebook.connect(gateway.url)
    with pytest.raises(duckdb.Error, match=r"there is no table 'secret.bornes'"):
        notebook.sql("FROM secret.bornes")
    with pytest.raises(LookupError, match="works in a sandbox"):
        notebook.cite("FROM irve.bornes")


def test_a_redirect_is_not_followed_so_the_token_goes_nowhere_else(notebook):
    with serving_raw() as elsewhere, serving_raw() as here:
        here.answers = [to(elsewhere.url)]
        with pytest.raises(ConnectionError):
            notebook.connect(f"http://127.0.0.1:{here.port}", "token")
        assert elsewhere.asked == []


def test_an_answer_that_is_cut_off_is_an_error_and_no_shorter_table(notebook):
    with serving_raw() as cut:
        cut.answers = [reply(b"\xff\xff\xff\xff\x10\x00\x00\x00", content_length=5000)]
        with pytest.raises(ConnectionError):
            notebook.connect(f"http://127.0.0.1:{cut.port}", "token")
