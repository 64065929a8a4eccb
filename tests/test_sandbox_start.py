"""The page that JupyterLab opens first, and what else a user finds in a jail: kernels and libraries."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest
from fixtures_sandbox import profile_for, run
from hypothesis import given
from hypothesis import strategies as st

from catalog.lake import Served, ServedColumn
from sandbox.start import PAGE, Room, Shown, start_page, text

PYTHON = "/opt/venv/bin/python"


def served(rows: int, **columns: str) -> Served:
    told = tuple(ServedColumn(name=name, type=kind) for name, kind in columns.items())
    return Served(version=0, files={}, rows=rows, committed=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), columns=told)


EDITION = Shown(
    dataset="irve",
    edition="partner",
    title="Bornes",
    publisher="Région",
    licence="LO-2.0",
    until=dt.date(2027, 6, 1),
    default=True,
    tables=(("bornes", served(1234, id="VARCHAR", kw="DECIMAL(5,1)")),),
)


def test_the_page_says_what_was_granted_until_when_and_how_to_work_with_it():
    page = start_page("ada", "mobility", [EDITION], Room(1_000_000, 4_000_000_000), packages=False)
    for part in (
        "# Bienvenue, ada",
        "Finalité déclarée : **mobility**",
        'lab.release("table.csv", why="figure 3")',
        "### Bornes",
        "Région · licence LO-2&#46;0 · édition <code>partner</code> · jusqu’au 1er juin 2027 exclu",
        "**<code>irve&#46;bornes</code>**, 1 234 lignes : <code>id</code> VARCHAR · <code>kw</code> DECIMAL(5,1)",
        "Votre dossier :",
        "demandez-le à l’équipe",
    ):
        assert part in page, part


def test_what_is_not_known_is_not_said():
    page = start_page("ada", None, [], None, packages=True)
    assert "Finalité déclarée : **aucune**" in page
    assert "Votre dossier" not in page
    assert "%pip install" in page


def test_an_edition_without_an_end_says_so_and_one_that_is_not_the_default_is_named_whole():
    one = Shown(**{**vars(EDITION), "until": None, "default": False, "edition": "open"})
    page = start_page("ada", None, [one], None, packages=False)
    assert "sans date de fin" in page
    assert "<code>&#34;irve&#64;open&#34;&#46;bornes</code>" in page


def test_much_is_cut_and_said():
    many = Shown(**{**vars(EDITION), "tables": tuple((f"t{at}", served(1, a="VARCHAR")) for at in range(500))})
    wide = served(1, **{f"c{number}": "VARCHAR" for number in range(500)})
    page = start_page("ada", None, [many, EDITION], None, packages=False)
    assert "… et 300 autres tables" in page
    assert "… et 1 autres tables" in page
    cut = start_page("ada", None, [Shown(**{**vars(EDITION), "tables": (("w", wide),)})], None, packages=False)
    assert "… et 440 autres" in cut
    assert len(page) < 60_000


@given(st.text(max_size=60))
def test_whatever_somebody_wrote_stays_text_in_markdown_html_and_tex(written):
    shown = text(written)
    assert "\n" not in shown
    assert set(re.sub(r"&#\d+;", "", shown)) & set('<>*_[]`|$\\!#~&:/@"') <= set()


def test_the_page_of_a_user_names_their_grants_alone_and_the_last_day(lab):
    page = profile_for(lab, "true", purpose="mobility").files[PAGE].decode()
    assert "<code>irve&#46;bornes</code>" in page
    assert "<code>&#34;irve&#64;open&#34;&#46;bornes</code>" in page
    assert "janvier 2999 exclu" in page
    assert "sans date de fin" in page  # what everybody may see
    assert "ecret" not in page
    assert "janvier" not in profile_for(lab, "true").files[PAGE].decode()  # without the purpose that grant needs


def test_a_page_from_before_that_became_a_link_is_replaced_and_not_written_through(lab):
    serve = "import sys, types; sys.argv = ['x']; sys.modules['panel'] = types.SimpleNamespace(answer_on=None)"
    prepare = f"{serve}\nimport os, pathlib\nhome = pathlib.Path.home()\n"
    script = (
        f"{prepare}(home / 'mine').write_text('mine'); (home / 'Bienvenue.md').symlink_to(home / 'mine')\n"
        "pages = home / 'pages'; pages.mkdir(); (pages / 'Bienvenue.md').write_text('new')\n"
        "import importlib.util as u\n"
        "exec(compile(open(0).read().split('if __name__')[0], 'serve', 'exec'))\n"
        "welcome(pages, home)\n"
        "print((home / 'mine').read_text(), (home / 'Bienvenue.md').is_symlink(), (home / 'Bienvenue.md').read_text())"
    )
    from sandbox.profile import HERE  # noqa: PLC0415

    said = run(lab, PYTHON, "-c", script, stdin=(HERE / "inside/serve.py").read_bytes())
    assert said.out.strip() == "mine False new", said


LIBRARIES = {
    "altair": "altair.Chart(altair.Data(values=[{'a': 1}])).mark_bar().to_dict()['mark']['type'] == 'bar'",
    "duckdb": "duckdb.sql('SELECT 42').fetchall() == [(42,)]",
    "geopandas": "geopandas.GeoSeries.from_wkt(['POINT (0 49)'], crs='EPSG:4326').to_crs('EPSG:2154').x[0] > 200000",
    "matplotlib": "__import__('matplotlib.pyplot').pyplot.figure().savefig('/tmp/a.png') is None",
    "pandas": "pandas.DataFrame({'a': [1, 2]})['a'].sum() == 3",
    "polars": "polars.DataFrame({'a': [1, 2]})['a'].sum() == 3",
    "pyarrow": "pyarrow.table({'a': [1, 2]}).num_rows == 2",
    "sklearn.linear_model": "sklearn.linear_model.LinearRegression().fit([[0], [1]], [0, 2]).coef_[0] > 1.9",
    "lab": "len(lab.datasets().fetchall()) == 1",
}


def test_every_library_that_is_promised_works_in_the_jail(lab):
    lines = [f"import {name}\nassert {works}, {name!r}" for name, works in LIBRARIES.items()]
    said = run(lab, PYTHON, "-c", "\n".join([*lines, "print('all')"]))
    assert (said.code, said.out) == (0, "all\n"), said.err


def test_the_kernels_are_python_and_sql_and_r_where_the_host_has_it(lab):
    manager = "from jupyter_client.kernelspec import KernelSpecManager as K"
    script = f"{manager}; import json; print(json.dumps(K().get_all_specs()))"
    specs = json.loads(run(lab, PYTHON, "-c", script).out)
    assert {"python3", "sql"} <= specs.keys() <= {"python3", "sql", "ir"}
    assert specs["sql"]["spec"]["display_name"] == "SQL (lab)"


@pytest.mark.parametrize("path", ["/opt/datalab-jupyter", "/opt/datalab-config", "/opt/datalab-start"])
def test_what_is_handed_in_cannot_be_changed_from_inside(lab, path):
    said = run(lab, "/bin/sh", "-c", f"touch {path}/x; for f in $(find {path} -type f); do echo x > $f; done")
    assert "x" not in said.out
    assert said.err.count("Read-only file system") + said.err.count("Permission denied") >= 2
