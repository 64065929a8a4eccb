"""`import lab`, as a notebook does: the real file on a folder laid out as the jail lays it out."""

import ast
import importlib.util
import json
import sys
from pathlib import Path

import pytest
from fixtures_sandbox import REPOSITORY, commit, profile_for, run

SOURCE = REPOSITORY / "sandbox" / "lab"


def place(data, target, make):
    """Make what the jail has at `target` in the folder that stands for /data."""
    if target.startswith("/data/"):
        path = data / target.removeprefix("/data/")
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Give `lab` the data that a user would have at /data, and import it afresh."""

    def load(lab, change=lambda _: None, **grants):
        data = tmp_path / "data"
        data.mkdir()
        profile = profile_for(lab, "true", **grants)
        for target, content in profile.files.items():
            place(data, target, lambda path, content=content: path.write_bytes(content))
        for mount in profile.mounts:
            place(data, mount.target, lambda path, mount=mount: path.symlink_to(mount.source))
        change(data)
        monkeypatch.setenv("DATALAB_DATA", str(data))
        spec = importlib.util.spec_from_file_location(
            "lab_in_a_notebook", SOURCE / "__init__.py", submodule_search_locations=[str(SOURCE)]
        )
        module = importlib.util.module_from_spec(spec)
        for name in [name for name in sys.modules if name.startswith(f"{spec.name}.")]:
            monkeypatch.delitem(sys.modules, name)  # they know where the data of another test were
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return load


def test_it_imports_the_standard_library_and_duckdb_alone_and_arrow_where_it_asks_from_outside():
    trees = [ast.parse(path.read_text()) for path in SOURCE.glob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {
        name.split(".")[0]
        for node in nodes
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
        if not getattr(node, "level", 0)
    }
    assert names - set(sys.stdlib_module_names) == {"duckdb", "pyarrow"}
    assert "pyarrow" not in (SOURCE / "__init__.py").read_text().replace("# noqa: PLC0415  pyarrow", "")


def test_the_scripts_of_the_jail_import_no_room():
    for path in (REPOSITORY / "sandbox" / "inside").glob("*.py"):
        assert not any(
            f"{word} {room}" in path.read_text()
            for room in ("catalog", "policies", "sandbox", "ingest")
            for word in ("import", "from")
        )


def test_datasets_lists_every_granted_table_with_the_default_marked(lab, load):
    notebook = load(lab, purpose="mobility")
    relation = notebook.datasets()
    assert relation.columns == [
        "dataset",
        "edition",
        "resource",
        "title",
        "rows",
        "columns",
        "licence",
        "version",
        "is_default",
    ]
    assert relation.fetchall() == [
        ("irve", "open", "bornes", "Bornes de recharge", 2, ["id"], "LO-2.0", 0, False),
        ("irve", "raw", "bornes", "Bornes de recharge", 3, ["id", "geo"], "LO-2.0", 0, True),
    ]


def test_the_default_is_the_most_detailed_edition_and_others_are_named(lab, load):
    notebook = load(lab, purpose="mobility")
    assert notebook.sql("SELECT count(*) FROM irve.bornes").fetchall() == [(3,)]
    assert notebook.sql('SELECT count(*) FROM "irve@open".bornes').fetchall() == [(2,)]
    assert notebook.table("irve.bornes").columns == ["id", "geo"]
    assert notebook.table("irve@open.bornes").columns == ["id"]


def test_geometry_is_geometry(lab, load):
    notebook = load(lab, purpose="mobility")
    relation = notebook.sql("SELECT typeof(geo), st_astext(geo) FROM irve.bornes WHERE id = 'c'")
    assert relation.fetchall() == [("GEOMETRY", "POINT (2 49)")]


def test_a_parameter_is_bound(lab, load):
    assert load(lab).sql("SELECT id FROM irve.bornes WHERE id = ?", ["b"]).fetchall() == [("b",)]


def test_a_relation_becomes_a_frame_of_each_kind(lab):
    said = run(
        lab,
        "python",
        "-c",
        "import lab; t = lab.table('irve.bornes'); frames = (t.df(), t.pl())\n"
        "print(*(type(f).__module__.split('.')[0] for f in frames), t.arrow().read_all().num_rows)",
    )
    assert (said.out, said.err) == ("pandas polars 2\n", "")


def test_an_unknown_table_lists_those_that_exist(lab, load):
    notebook = load(lab)
    with pytest.raises(LookupError) as caught:
        notebook.table("irve.borne")
    assert str(caught.value) == (
        "there is no table 'irve.borne'; did you mean 'irve.bornes'? You were granted: irve@open.bornes, irve.bornes"
    )


def test_a_table_that_was_not_granted_is_unknown(lab, load):
    with pytest.raises(LookupError, match=r"there is no table 'secret\.bornes'"):
        load(lab).table("secret.bornes")


def test_a_later_snapshot_is_seen_by_the_next_sandbox(lab, load):
    commit(lab, "irve", "open", ["z"], geometry=False)
    assert load(lab).sql("SELECT id FROM irve.bornes").fetchall() == [("z",)]


def test_names_with_quotes_are_names_and_not_sql(lab, load):
    name = 'a"; DROP SCHEMA secret; --'

    def rename(data):
        pointer = data / "secret" / "raw" / "current.json"
        served = json.loads(pointer.read_text())["resources"]["bornes"]
        pointer.with_name("bornes").rename(pointer.with_name(name))
        pointer.write_text(json.dumps({"resources": {name: served}}))

    notebook = load(lab, rename, user="bob")
    assert notebook.table(f"secret.{name}").project("id").fetchall() == [("s",)]


def test_the_engine_keeps_within_the_sandbox(lab, load, monkeypatch):
    monkeypatch.setenv("DATALAB_MEMORY_BYTES", str(10 * 2**30))
    monkeypatch.setenv("DATALAB_THREADS", "3")
    notebook = load(lab)
    settings = "SELECT current_setting('memory_limit'), current_setting('threads')"
    assert notebook.sql(settings).fetchall() == [("6.0 GiB", 3)]
    assert Path(notebook.sql("SELECT current_setting('temp_directory')").fetchall()[0][0]).name == "duckdb"
