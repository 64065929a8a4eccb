"""What a held change of columns would break, by name, before a steward accepts it."""

from __future__ import annotations

import json

import pytest

from catalog.impact import broken
from catalog.lake import ServedColumn
from ingest.run import ingest
from policies.model import RAW

BEFORE = "code,nom,valeur\n01001,A,1\n01002,B,2\n"
AFTER = "code,libelle,valeur\n01001,A,1\n01002,B,2\n"


def notebook(*cells):
    made = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    return json.dumps({"nbformat": 4, "cells": [{"cell_type": "markdown", "source": "# nom"}, *made]})


@pytest.fixture
def held(folder):
    """A lab with a table `jeu.t` whose next refresh, in which `nom` is gone, is held."""
    folder.table("jeu", BEFORE)
    folder.grant("jeu", {"open": {"t": {"keep": ["code", "valeur"]}}})
    list(ingest(folder.lab, "jeu", lambda _: None))
    folder.write("sources/data.csv", AFTER)
    (outcome,) = ingest(folder.lab, "jeu", lambda _: None)
    assert outcome.status == "held"
    return folder


def found(folder, after=("code", "libelle", "valeur")):
    before = folder.lab.lake.current("jeu", RAW).resources["t"].columns
    kinds = {column.name: column.type for column in before}
    changed = tuple(ServedColumn(name=name, type=kinds.get(name, "VARCHAR")) for name in after)
    return {f"{one.file}, {one.place}": one.why for one in broken(folder.lab, "jeu", "t", before, changed)}


def test_a_query_a_dashboard_and_a_notebook_that_ask_for_a_column_that_goes_are_named(held):
    held.write("queries/noms.sql", "-- les noms\nSELECT nom FROM jeu.t; SELECT 1")
    held.write("dashboards/accueil.yaml", "title: Accueil\nviews:\n  - sql: SELECT code, nom FROM jeu.t\n")
    cells = ("import lab", "lab.sql(\"SELECT upper(nom) FROM jeu.t WHERE nom LIKE 'A%'\")")
    held.write("notebooks/essai.ipynb", notebook(*cells))
    told = found(held)
    assert set(told) == {"queries/noms.sql, ", "dashboards/accueil.yaml, line 3", "notebooks/essai.ipynb, cell 3"}
    assert all('"nom"' in why for why in told.values())


def test_what_does_not_ask_for_it_or_never_worked_is_not_named(held):
    held.write("queries/codes.sql", 'SELECT code FROM jeu.t JOIN "jeu@open".t USING (code)')
    held.write("queries/broken.sql", "SELECT nom FROM ailleurs.t")
    held.write("queries/prose.sql", "not SQL at all")
    held.write("queries/writes.sql", "CREATE TABLE x AS SELECT nom FROM jeu.t")
    held.write("dashboards/vide.yaml", "")
    held.write("dashboards/faux.yaml", "a: [")
    held.write("notebooks/faux.ipynb", "{")
    assert found(held) == {}


def test_an_edition_that_keeps_it_is_named_and_so_is_a_query_of_that_edition(held):
    held.write("queries/valeurs.sql", 'SELECT sum(valeur) FROM "jeu@open".t')
    told = found(held, after=("code", "nom"))
    assert told["policies/jeu.yaml, "] == "edition 'open' keeps valeur, which would be gone"
    assert "valeur" in told["queries/valeurs.sql, "]


def test_a_type_that_breaks_a_query_is_named(held):
    held.write("queries/valeurs.sql", "SELECT sum(valeur) FROM jeu.t")
    before = held.lab.lake.current("jeu", RAW).resources["t"].columns
    texts = tuple(ServedColumn(name=column.name, type="VARCHAR") for column in before)
    (told,) = broken(held.lab, "jeu", "t", before, texts)
    assert told.file == "queries/valeurs.sql"
    assert "sum(VARCHAR)" in told.why


def test_a_notebook_that_takes_the_column_by_its_name_from_the_table_may_break(held):
    cells = ('frame = lab.table("jeu.t").df()', "frame['nom'].str.upper()", "frame.nom.nunique()", "frame['code']")
    held.write("notebooks/essai.ipynb", notebook(*cells))
    held.write("notebooks/autre.ipynb", notebook("print('nom')"))
    assert found(held) == {
        "notebooks/essai.ipynb, cell 3": "may break: names nom, which would be gone",
        "notebooks/essai.ipynb, cell 4": "may break: names nom, which would be gone",
    }


def test_sql_with_holes_in_it_and_in_a_magic_cell_is_looked_at(held):
    cells = ('lab.sql(f"SELECT nom FROM jeu.t WHERE valeur > {least}")', "%%sql\nSELECT nom FROM jeu.t")
    held.write("notebooks/essai.ipynb", notebook(*cells))
    assert set(found(held)) == {"notebooks/essai.ipynb, cell 2", "notebooks/essai.ipynb, cell 3"}


def test_a_query_that_names_a_file_opens_none(held):
    held.write("queries/fichier.sql", f"SELECT nom FROM jeu.t, read_text('{held.root}/datalab.toml')")
    assert found(held) == {}


def test_a_column_that_is_only_added_breaks_nothing(held):
    held.write("queries/tout.sql", "SELECT nom FROM jeu.t")
    assert found(held, after=("code", "nom", "valeur", "libelle")) == {}


def test_review_and_accept_name_what_would_break(held, datalab):
    held.write("queries/noms.sql", "SELECT nom FROM jeu.t")
    for ran in (datalab("review"), datalab("accept", "jeu.t", "--why", "v2")):
        assert ran.code == 0
        assert 'accepting jeu.t breaks:\n  queries/noms.sql: Binder Error: Referenced column "nom" not found' in ran.err


def test_an_edition_that_renames_or_drops_is_known_by_the_names_of_the_source(held):
    table = {"keep": ["code", "valeur"], "drop": ["nom"], "rename": {"valeur": "montant"}}
    held.grant("jeu", {"open": {"t": table}})
    list(ingest(held.lab, "jeu", lambda _: None))
    held.write("queries/montants.sql", 'SELECT sum(montant) FROM "jeu@open".t')
    assert found(held) == {"policies/jeu.yaml, ": "edition 'open' drops nom, which would be gone"}
    assert "montant" in found(held, after=("code", "nom"))["queries/montants.sql, "]
