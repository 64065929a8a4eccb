"""What an ingest tells of where its tables come from, in the file that OpenLineage's own client writes."""

from __future__ import annotations

import json

import pytest
from openlineage.client.event_v2 import RunState

from catalog import lineage
from catalog.receipt import Receipt
from ingest.run import ingest

ROWS = "code,nom,jour\n01001,A,2024-01-01\n01002,B,2024-01-02\n"


def events(folder):
    path = folder.root / "var" / "lineage" / "events.ndjson"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def bring(folder):
    folder.table("jeu", ROWS)
    table = {"keep": ["code", "nom", "jour"], "pseudonymise": ["nom"], "generalise": {"jour": "year"}}
    folder.grant("jeu", {"open": {"t": table}})
    return list(ingest(folder.lab, "jeu", lambda _: None))


def test_an_ingest_tells_of_the_source_and_the_raw_table_with_its_version_and_rows(folder):
    bring(folder)
    told = events(folder)[0]
    assert told["eventType"] == RunState.COMPLETE.value
    assert told["job"]["name"] == "ingest.jeu.t"
    assert [(one["namespace"], one["name"]) for one in told["inputs"]] == [("file", "sources/data.csv")]
    (made,) = told["outputs"]
    assert (made["namespace"], made["name"]) == ("http://127.0.0.1:8420", "jeu/raw/t")
    assert made["facets"]["version"]["datasetVersion"] == "0"
    assert made["outputFacets"]["outputStatistics"]["rowCount"] == 2
    assert [(one["name"], one["type"]) for one in made["facets"]["schema"]["fields"]] == [
        ("code", "VARCHAR"),
        ("nom", "VARCHAR"),
        ("jour", "DATE"),
    ]


def test_an_edition_tells_which_column_came_of_which_and_what_cannot_be_turned_back(folder):
    bring(folder)
    told = events(folder)[1]
    assert told["job"]["name"] == "edition.jeu.open.t"
    assert [one["name"] for one in told["inputs"]] == ["jeu/raw/t"]
    (made,) = told["outputs"]
    assert made["name"] == "jeu/open/t"
    fields = made["facets"]["columnLineage"]["fields"]
    (code,), (nom,), (jour,) = (fields[name]["inputFields"] for name in ("code", "nom", "jour"))
    assert (code["name"], code["field"]) == ("jeu/raw/t", "code")
    assert [one["transformations"][0]["masking"] for one in (code, nom, jour)] == [False, True, True]


def test_what_has_not_changed_is_not_told_again_and_an_edition_of_a_new_policy_is(folder):
    bring(folder)
    bring(folder)
    assert len(events(folder)) == 2
    folder.grant("jeu", {"open": {"t": {"keep": ["code"]}}})
    list(ingest(folder.lab, "jeu", lambda _: None))
    assert [one["job"]["name"] for one in events(folder)[2:]] == ["edition.jeu.open.t"]


def test_an_ingest_that_fails_is_told_with_its_reason(folder):
    folder.table("jeu", ROWS)
    (folder.root / "sources" / "data.csv").unlink()
    (outcome,) = ingest(folder.lab, "jeu", lambda _: None)
    (told,) = events(folder)
    assert told["eventType"] == RunState.FAIL.value
    assert told["run"]["facets"]["errorMessage"]["message"] == outcome.error


def test_no_value_of_a_row_is_told(folder):
    folder.table("jeu", "code,nom\n01001,Martin Dupont\n01002\n")
    list(ingest(folder.lab, "jeu", lambda _: None))
    assert "Dupont" not in (folder.root / "var" / "lineage" / "events.ndjson").read_text()


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("https://anne:secret@data.exemple.fr:8443/x.csv?key=secret", ("https://data.exemple.fr:8443", "/x.csv")),
        ("sources/data.csv", ("file", "sources/data.csv")),
        ("postgresql://bd.exemple.fr/base", ("postgresql://bd.exemple.fr", "/base")),
    ],
)
def test_a_source_is_named_by_host_and_path_and_no_secret_of_its_address(folder, place, told):
    bring(folder)
    served = folder.lab.lake.current("jeu", "raw").resources["t"]
    receipt = Receipt.model_validate({**served.receipt, "source": place})
    (source,) = lineage.ingested("http://x", receipt, lineage.raw_of("jeu", "t", served)).inputs
    assert (source.namespace, source.name) == told


def test_a_lineage_that_cannot_be_written_is_said_and_the_ingest_counts(folder):
    folder.write("var/lineage/events.ndjson/x", "a folder stands where the file would")
    said = []
    folder.table("jeu", ROWS)
    (outcome,) = ingest(folder.lab, "jeu", said.append)
    assert outcome.status == "ingested"
    assert any(one.startswith("lineage: the events could not be sent") for one in said)
