"""Small open tables in CKAN's DataStore: with their types, whole or not at all, and only when they have changed."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from ckanapi.errors import NotAuthorized, NotFound
from fixtures_ckan import REGION, entry, ours, theirs, whats
from hypothesis import given
from hypothesis import strategies as st

from catalog.ckan.datastore import LARGEST, field_ids, push, tables
from catalog.ckan.listing import Listing
from catalog.ckan.names import PUSHED
from catalog.ckan.plan import plan
from catalog.lake import ServedColumn
from policies.errors import RemoteError, UsageError

SOME = REGION.model_copy(update={"datastore_rows": 100})
BROKEN = (500, "text/html", b"<h1>Server Error</h1>")
TYPED = (
    "code;nom;montant;jour;vu;part;heure\n01001;Rouen;1 234,50;04/05/2026;2026-05-04T03:02:01;0,5;08:30\n2A004;;;;;;\n"
)


def names(found):
    return [table.name for table in found.values()]


# -- which tables, and how


def test_only_open_tables_of_some_rows_are_put_there():
    kinds = {
        "petite": {"rows": 100},
        "grande": {"rows": 101},
        "vide": {"rows": 0},
        "lourde": {"files": {"a": LARGEST, "b": 1}},
        "large": {"columns": tuple(ServedColumn(name=f"c{number}", type="VARCHAR") for number in range(1501))},
    }
    told = [Listing(entry(slug, served=served)) for slug, served in kinds.items()]
    told.append(Listing(entry("secrete"), private=True))
    assert names(tables(SOME, told)) == ["petite.t"]
    assert tables(REGION, told) == {}


def test_a_table_has_types_titles_and_a_key():
    kinds = {
        "code": "VARCHAR",
        "nombre": "BIGINT",
        "montant": "DECIMAL(18,2)",
        "part": "DOUBLE",
        "vrai": "BOOLEAN",
        "jour": "DATE",
        "heure": "TIME",
        "vu": "TIMESTAMP",
        "su": "TIMESTAMP WITH TIME ZONE",
        "geom": "GEOMETRY",
    }
    columns = tuple(ServedColumn(name=name, type=kind) for name, kind in kinds.items())
    known = {"montant": {"title": {"fr": "Montant versé"}, "description": {"fr": "Sur l'année"}, "unit": "EUR"}}
    resource = {"columns": known, "mode": "merge", "key": ["code", "jour"]}
    (made,) = tables(SOME, [Listing(entry(served={"columns": columns}, resource=resource))]).values()
    assert {one["id"]: one["type"] for one in made.fields} == {
        "code": "text",
        "nombre": "int8",
        "montant": "numeric",
        "part": "float8",
        "vrai": "bool",
        "jour": "date",
        "heure": "time",
        "vu": "timestamp",
        "su": "timestamptz",
        "geom": "text",
    }
    assert made.fields[2]["info"] == {"label": "Montant versé", "notes": "Sur l'année (EUR)"}
    assert made.primary_key == ("code", "jour")
    without = tuple(column for column in columns if column.name != "jour")
    (made,) = tables(SOME, [Listing(entry(served={"columns": without}, resource=resource))]).values()
    assert made.primary_key == ()


def test_its_content_has_another_name_when_rows_or_words_change_and_else_the_same():
    def key(**changes):
        (made,) = tables(SOME, [Listing(entry(**changes))]).values()
        return made.key

    assert key() == key(title={"fr": "Autre"}) == key(served={"committed": dt.datetime(2027, 1, 1, tzinfo=dt.UTC)})
    assert key() != key(served={"files": {"part-2.parquet": 4096}})
    assert key() != key(resource={"columns": {"code": {"title": {"fr": "Code"}}}})


@given(st.lists(st.text(min_size=1, max_size=90), unique=True, max_size=30))
def test_every_column_has_a_name_of_its_own_that_the_datastore_takes(columns):
    found = field_ids(columns)
    assert list(found) == columns
    assert len(set(found.values())) == len(columns)
    for name in found.values():
        assert 0 < len(name.encode()) <= 63
        assert name == name.strip()
        assert not name.startswith("_")
        assert '"' not in name


def test_a_plain_name_is_kept():
    assert field_ids(["code insee", "_id", 'a"b', "a b", "é" * 40]) == {
        "code insee": "code insee",
        "_id": "id",
        'a"b': "a b",
        "a b": "a b 2",
        "é" * 40: "é" * 31,
    }


def test_a_table_that_its_resource_says_is_there_is_left_alone():
    listing = Listing(entry())
    (table,) = tables(SOME, [listing]).values()
    held = {PUSHED: table.key, "datastore_active": True}
    assert push(table, held).what == "unchanged"
    assert push(table, None).what == "create"
    assert push(table, {**held, PUSHED: "another"}).what == "update"
    assert push(table, {**held, "datastore_active": False}).what == "update"


def test_a_table_goes_before_its_dataset_does_and_comes_after_it():
    made = ours(entry(), entry("autre"))
    wanted = tables(SOME, [Listing(entry()), Listing(entry("autre"))])
    empty = plan(made, theirs(ours()), wanted)
    assert [action.kind for action in empty.todo][-4:] == ["dataset", "dataset", "table", "table"]
    held = theirs(made)
    for package in held.datasets.values():
        package["resources"] = [{**one, PUSHED: "x", "datastore_active": True} for one in package["resources"][1:]]
    gone = plan(ours(entry("autre")), held, {}).todo
    assert [(action.kind, action.what) for action in gone] == [
        ("table", "delete"),
        ("table", "delete"),
        ("dataset", "update"),
        ("dataset", "delete"),
    ]


# -- in the real CKAN


KNOWN = {"columns": {"montant": {"title": {"fr": "Montant"}, "unit": "EUR"}}}


def put(published, rows=100, **changes):
    published.folder.write("datalab.toml", f"[ckan]\ndatastore_rows = {rows}\n")
    keep = ["code", "nom", "montant", "jour", "vu", "part", "heure"]
    published.folder.write("sources/mesures.csv", TYPED)
    published.describe("mesures", **changes)
    published.folder.grant("mesures", {"open": {"t": {"keep": keep}}})
    published.bring("mesures")


def csv_of(published, slug="mesures"):
    return next(one for one in published.show(slug)["resources"] if one["format"] == "CSV")


def rows_of(published, key):
    return published.call("datastore_search", resource_id=key)["records"]


def test_a_table_is_there_with_its_types_and_values_and_is_put_there_once(published):
    put(published, resource=KNOWN)
    assert whats(published.run())["table mesures.t"] == "create"
    resource = csv_of(published)
    assert resource["datastore_active"] is True
    found = published.call("datastore_search", resource_id=resource["id"])
    assert {field["id"]: field["type"] for field in found["fields"]} == {
        "_id": "int",
        "code": "text",
        "nom": "text",
        "montant": "numeric",
        "jour": "date",
        "vu": "timestamp",
        "part": "numeric",
        "heure": "text",
    }
    assert found["fields"][3]["info"] == {"label": "Montant", "notes": "(EUR)"}
    first, second = found["records"]
    assert {name: first[name] for name in ("code", "nom", "montant", "jour", "vu", "part", "heure")} == {
        "code": "01001",
        "nom": "Rouen",
        "montant": 1234.5,
        "jour": "2026-05-04",
        "vu": "2026-05-04T03:02:01.000",
        "part": 0.5,
        "heure": "08:30",
    }
    assert (second["code"], second["nom"], second["montant"]) == ("2A004", None, None)

    assert published.run().todo == ()
    assert published.between.writes == []
    published.describe(
        "mesures",
        title={"fr": "Les mesures"},
        resource=KNOWN,
    )
    assert {action.kind for action in published.run().todo} == {"dataset"}
    assert rows_of(published, resource["id"]) == found["records"]


def test_new_rows_replace_the_old_ones_and_no_setting_takes_them_away(published):
    put(published)
    published.run()
    key = csv_of(published)["id"]
    published.folder.write("sources/mesures.csv", TYPED.replace("2A004", "2B033"))
    published.bring("mesures")
    assert whats(published.run())["table mesures.t"] == "update"
    assert [row["code"] for row in rows_of(published, key)] == ["01001", "2B033"]
    assert published.run().todo == ()

    published.folder.write("datalab.toml", "[ckan]\ndatastore_rows = 0\n")
    assert [(one.kind, one.what) for one in published.run().todo if one.name.startswith("mesures")] == [
        ("table", "delete"),
        ("dataset", "update"),
    ]
    assert csv_of(published)["datastore_active"] is False
    with pytest.raises(NotFound):
        rows_of(published, key)
    assert published.run().todo == ()


@pytest.mark.parametrize("call", ["datastore_create", "package_revise"])
def test_a_push_that_breaks_leaves_no_half_table_and_is_made_again(published, call):
    put(published)
    published.run()
    key = csv_of(published)["id"]
    published.folder.write("sources/mesures.csv", TYPED.replace("2A004", "2B033"))
    published.bring("mesures")
    published.between.instead[call] = lambda body: (
        BROKEN if call == "datastore_create" or f"update__resources__{key}" in body else None
    )
    with pytest.raises(RemoteError, match=r"mesures.t: .*CKAN failed"):
        published.run()
    if call == "datastore_create":
        with pytest.raises(NotFound):
            rows_of(published, key)
    else:
        assert [row["code"] for row in rows_of(published, key)] == ["01001", "2B033"]
    published.between.instead.clear()
    assert [(one.name, one.what) for one in published.run().todo] == [("mesures.t", "update")]
    assert [row["code"] for row in rows_of(published, key)] == ["01001", "2B033"]
    assert published.run().todo == ()


def test_a_table_that_ckan_refuses_is_told_and_the_others_are_put_there(published):
    put(published)
    refusal = {"success": False, "error": {"__type": "Validation Error", "data": "invalid input syntax"}}
    answer = (409, "application/json", json.dumps(refusal).encode())
    published.between.instead["datastore_create"] = lambda body: answer if len(body["fields"]) > 2 else None
    with pytest.raises(RemoteError, match=r"mesures.t: .*data: invalid input syntax"):
        published.run()
    assert csv_of(published)["datastore_active"] is False
    assert [row["nom"] for row in rows_of(published, csv_of(published, "bornes")["id"])] == ["Rouen"]


def test_what_is_withdrawn_from_everyone_is_in_the_datastore_no_more(published):
    put(published)
    published.run()
    key = csv_of(published)["id"]
    (published.folder.root / "policies/mesures.yaml").unlink()
    published.run(allow_deletions=True)
    with pytest.raises((NotFound, NotAuthorized)):
        rows_of(published, key)


def test_the_key_of_a_table_is_the_datastores(published):
    put(published, resource={"mode": "merge", "key": ["code"]})
    published.run()
    key = csv_of(published)["id"]
    published.call(
        "datastore_upsert", resource_id=key, force=True, records=[{"code": "01001", "nom": "Le Havre"}], method="upsert"
    )
    assert {row["code"]: row["nom"] for row in rows_of(published, key)} == {"01001": "Le Havre", "2A004": None}


def test_a_ckan_without_datastore_is_named_before_anything_is_written(published):
    put(published)
    status = {"success": True, "result": {"extensions": ["dcat"]}}
    published.between.instead["status_show"] = (200, "application/json", json.dumps(status).encode())
    with pytest.raises(
        UsageError, match=r"has no DataStore; enable its plugin, or take datastore_rows out of \[ckan\]"
    ):
        published.run()
    assert published.between.writes == []
