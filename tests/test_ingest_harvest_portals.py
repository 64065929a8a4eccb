"""Each kind of portal, its answers served over HTTP in their real forms: what becomes of them, what is refused."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures_api import SETTINGS, Api, Asked, Said
from fixtures_portal import make_lab

from catalog.entries import EVERYONE, entries
from catalog.feed import feed
from catalog.model import Dataset
from catalog.settings import CatalogSettings
from ingest.harvest.asking import Asking
from ingest.harvest.drafting import draft_of
from ingest.harvest.portals import Failed, Skipped, Total
from ingest.harvest.portals import rdf as rdf_module
from ingest.harvest.portals.kinds import portal_at
from ingest.harvest.portals.rdf import graph_of
from ingest.harvest.portals.xmlpage import xml_page
from ingest.harvest.record import Record
from policies.errors import SourceError, UsageError

PAGES = Path(__file__).parent / "pages"
UDATA = json.loads((PAGES / "harvest-udata.json").read_text())
ODS = json.loads((PAGES / "harvest-ods.json").read_text())
TURTLE = {"Content-Type": "text/turtle"}
HTML = Said(b"<!doctype html><html><body>Bienvenue</body></html>", 200, {"Content-Type": "text/html"})
ASKING = Asking(SETTINGS.model_copy(update={"retries": 0}))


def listed(url: str, **how) -> list:
    return list(portal_at(url, ASKING, **how).items())


def drafts(items: list) -> dict[str, dict]:
    """The drafts' values, by identifier."""
    return {item.identifier: draft_of(item).values for item in items if isinstance(item, Record) and item.title}


def udata(asked: Asked) -> object:
    if asked.path == "/api/1/datasets/":
        return UDATA
    if asked.path.startswith("/api/1/organizations/"):
        return Said((PAGES / "harvest-udata-organization.json").read_bytes())
    if asked.path == "/api/1/datasets/arbres/":
        return UDATA["data"][1]
    return HTML if asked.path == "/" else Said({"message": "Not found"}, 404)


def opendatasoft(asked: Asked) -> object:
    if asked.path == "/api/explore/v2.1/catalog/datasets":
        return ODS
    return HTML if asked.path == "/" else Said({"message": "Not found"}, 404)


def csw(asked: Asked) -> object:
    if asked.path != "/geonetwork/srv/fre/csw":
        return HTML
    if asked.parameters.get("request") == "GetCapabilities":
        return Said(b'<csw:Capabilities xmlns:csw="http://www.opengis.net/cat/csw/2.0.2" version="2.0.2"/>')
    return Said((PAGES / f"harvest-csw-{asked.parameters['startPosition']}.xml").read_bytes())


def test_a_udata_is_found_by_what_answers_and_its_datasets_become_drafts(api: Api):
    api.answer = udata
    items = listed(api.url)
    bornes, arbres = drafts(items).values()
    assert [item for item in items if not isinstance(item, Record)] == [
        Total(3),
        Skipped("54126af3a3a7292a00000013", "it is deleted"),
    ]
    assert bornes == {
        "title": {"fr": "Bornes de recharge de l'Essai"},
        "description": {
            "fr": "Contenu\n\nLes points de recharge ouverts au public, voir la page (https://essai.example/irve).\n\n"
            "- un par ligne\n- mis à jour chaque mois"
        },
        "publisher": {"name": "Communauté de l'Essai", "siren": "200000008", "url": "https://essai.example"},
        "contact": {"name": "Service SIG", "email": "sig@essai.example"},
        "themes": ["TRAN"],
        "keywords": {"fr": ["mobilite", "transport", "vehicule electrique"]},
        "licence": "LO-2.0",
        "frequency": "MONTHLY",
        "spatial": {"name": "epci 200000008", "epci": ["200000008"]},
        "temporal": {"start": "2024-01-01", "end": "2024-12-31"},
        "issued": "2024-02-01",
        "landing_page": "https://www.data.gouv.fr/datasets/bornes-de-recharge-de-lessai/",
        "harvested": {
            "portal": f"{api.url}/",
            "identifier": "54126af3a3a7292a00000011",
            "modified": "2025-01-14T14:05:16+00:00",
        },
        "resources": {
            "bornes": {
                "title": {"fr": "bornes.csv"},
                "source": {
                    "udata": f"{api.url}/",
                    "dataset": "54126af3a3a7292a00000011",
                    "resource": "5bf69714-fd82-4ae2-8c4e-000000000011",
                },
                "origin": "https://static.data.gouv.fr/resources/bornes/20250114-140516/bornes.csv",
            }
        },
    }
    assert arbres["publisher"] == {"name": "Anne Essai"}
    assert arbres["frequency"] == "NEVER"
    assert arbres["issued"] == "2019-05-06"
    assert arbres["spatial"]["bbox"] == [0.9, 49.3, 1.2, 49.5]
    assert "licence" not in arbres
    notes = {note.what for item in items if isinstance(item, Record) for note in draft_of(item).notes}
    assert "the portal calls it a high-value dataset; say its category (EU 2023/138)" in notes
    assert "the portal says that it follows the schema etalab/schema-irve-statique 2.3.1" in notes
    assert "left out: 'Notice': documentation" in notes


def test_one_organisation_of_a_udata_is_asked_for_by_its_id_and_once(api: Api):
    api.answer = udata
    portal = portal_at(f"{api.url}/organizations/essai/", ASKING)
    assert (portal.kind, portal.address, portal.scope) == ("udata", f"{api.url}/", "organization=essai")
    assert len(list(portal.items())) == 4
    pages = [one for one in api.asked if one.path == "/api/1/datasets/"]
    assert [one.parameters["organization"] for one in pages] == ["54126af3a3a7292a00000001"]
    assert sum(one.path.startswith("/api/1/organizations/") for one in api.asked) == 2  # by its name, and by its id
    (arbres,) = listed(f"{api.url}/fr/datasets/arbres/")
    assert arbres.identifier == "54126af3a3a7292a00000012"


def test_an_opendatasoft_portal_is_found_and_its_datasets_become_drafts(api: Api):
    api.answer = opendatasoft
    items = listed(api.url)
    air, budget = drafts(items).values()
    assert items[0] == Total(2)
    assert air["description"] == {"fr": "Mesures du réseau permanent.\n\n- NO2\n- O3"}
    assert air["contact"] == {"name": "Atmo Essai", "email": "contact@atmo.essai.example"}
    assert air["themes"] == ["ENVI"]
    assert air["licence"] == "LO-2.0"
    assert air["frequency"] == "HOURLY"
    assert air["spatial"] == {"name": "Essai-sur-Mer", "bbox": [0.2, 46.5, 0.5, 46.7]}
    assert air["temporal"] == {"start": "2019-01-01", "end": "2024-12-31"}
    assert air["issued"] == "2019-02-01"
    assert air["resources"] == {
        "concentrations_horaires_de_polluants": {
            "title": {"fr": "Concentrations horaires de polluants"},
            "source": {"opendatasoft": f"{api.url}/", "dataset": "qualite-de-lair@essai"},
            "origin": f"{api.url}/explore/dataset/qualite-de-lair@essai/",
            "columns": {
                "nm_sttn": {"title": {"fr": "Station"}, "description": {"fr": "Nom de la station"}},
                "valeur": {"title": {"fr": "Valeur"}, "unit": "µg/m3"},
            },
        },
        "stations": {
            "title": {"fr": "Stations.csv"},
            "source": {
                "url": f"{api.url}/api/explore/v2.1/catalog/datasets/qualite-de-lair@essai/attachments/stations_csv"
            },
            "origin": f"{api.url}/api/explore/v2.1/catalog/datasets/qualite-de-lair@essai/attachments/stations_csv",
        },
    }
    assert budget.keys() == {"title", "frequency", "landing_page", "harvested"}
    search = portal_at(f"{api.url}/explore/?refine.theme=Environnement&sort=modified", ASKING)
    assert search.scope == "refine=theme%3A%22Environnement%22"


def test_a_csw_is_found_behind_the_page_of_a_geonetwork_and_read_page_by_page(api: Api):
    api.answer = csw
    portal = portal_at(api.url, ASKING)
    assert (portal.kind, portal.address) == ("csw", f"{api.url}/geonetwork/srv/fre/csw")
    items = list(portal.items())
    asked = [one.parameters for one in api.asked if one.parameters.get("request") == "GetRecords"]
    assert [one["startPosition"] for one in asked] == ["1", "3"]
    assert asked[0]["outputSchema"] == "http://www.isotc211.org/2005/gmd"
    plu, haies = drafts(items).values()
    others = [item for item in items if not isinstance(item, Record | Total)]
    assert others == [Skipped("fr-000000001-srv-0002", "it describes a service, not data")]
    assert plu == {
        "title": {"fr": "Plan local d'urbanisme de l'Essai", "en": "Land use plan of Essai"},
        "description": {"fr": "Zonages du PLU."},
        "publisher": {"name": "Commune de l'Essai"},
        "contact": {"name": "DDTM de l'Essai", "email": "ddtm@essai.example"},
        "themes": ["REGI"],
        "keywords": {"fr": ["Usage des sols", "plu", "urbanisme"]},
        "licence": "LO-1.0",
        "licence_note": "Mentionner la commune de l'Essai",
        "frequency": "ANNUAL",
        "spatial": {"name": "Essai", "bbox": [1.31, 49.38, 3.28, 50.48]},
        "temporal": {"start": "2017-10-07"},
        "issued": "2017-10-07",
        "landing_page": "https://geo.essai.example/geonetwork/srv/fre/catalog.search#/metadata/fr-000000001-ldd-0001",
        "provenance": {"fr": "Numérisé sur le cadastre."},
        "harvested": {
            "portal": portal.address,
            "identifier": "fr-000000001-ldd-0001",
            "modified": "2024-03-25T22:55:41+01:00",
        },
        "resources": {
            "zonages": {
                "title": {"fr": "Zonages"},
                "source": {"wfs": "https://geo.essai.example/wfs?map=plu", "layer": "plu:zones"},
                "origin": "https://geo.essai.example/wfs?map=plu",
            },
            "prescriptions": {
                "title": {"fr": "Prescriptions"},
                "source": {"features": "https://geo.essai.example/ogcapi", "collection": "prescriptions"},
                "origin": "https://geo.essai.example/ogcapi/collections/prescriptions/items?f=json",
            },
            "tout_le_plan": {
                "title": {"fr": "Tout le plan"},
                "source": {"url": "https://geo.essai.example/plu.zip"},
                "origin": "https://geo.essai.example/plu.zip",
            },
        },
    }
    assert haies["themes"] == ["ENVI"]
    assert not {"licence", "spatial", "resources"} & haies.keys()
    with pytest.raises(SourceError, match="fr-000000001-ldd-0004: it has no title"):
        draft_of(next(item for item in items if isinstance(item, Record) and item.identifier.endswith("0004")))


def test_a_dcat_feed_becomes_drafts_and_a_dataset_without_address_is_named(api: Api):
    api.answer = lambda _: Said((PAGES / "harvest-dcat.ttl").read_bytes(), 200, TURTLE)
    items = listed(f"{api.url}/catalogue")
    (record,) = [item for item in items if isinstance(item, Record)]
    (failed,) = [item for item in items if isinstance(item, Failed)]
    assert (failed.identifier, "Sans adresse" in failed.why) == (None, True)
    values = draft_of(record).values
    assert values == {
        "title": {"fr": "Arrêts de bus", "en": "Bus stops"},
        "description": {"fr": "Tous les arrêts du réseau."},
        "publisher": {"name": "Régie de l'Essai", "siren": "200000008"},
        "contact": {"name": "Accueil", "email": "accueil@regie.example"},
        "themes": ["TRAN"],
        "keywords": {"en": ["stops"], "fr": ["arrêts", "bus"]},
        "licence": "ODbL-1.0",
        "licence_note": "Citer la régie",
        "frequency": "DAILY",
        "spatial": {"name": "Essai", "bbox": [0.0, 49.0, 1.0, 50.0]},
        "temporal": {"start": "2020-01-01", "end": "2024-12-31"},
        "issued": "2020-02-03",
        "landing_page": "https://cat.example/page/1",
        "provenance": {"fr": "Relevé sur place"},
        "harvested": {
            "portal": f"{api.url}/catalogue",
            "identifier": "cat-0001",
            "modified": "2024-05-06T07:08:09+00:00",
        },
        "resources": {
            "arrets": {
                "title": {"fr": "Arrêts"},
                "source": {"url": "https://cat.example/arrets.csv"},
                "origin": "https://cat.example/arrets.csv",
            },
            "horaires": {
                "title": {"fr": "Horaires"},
                "source": {"url": "https://cat.example/gtfs.zip"},
                "origin": "https://cat.example/gtfs.zip",
            },
        },
    }


@pytest.mark.parametrize("form", ["ttl", "jsonld"])
def test_our_own_feed_comes_back_as_the_facts_it_was_made_of(api: Api, tmp_path, form):
    lab = make_lab(tmp_path)
    settings = CatalogSettings(url=f"{api.url}/")
    more = {
        "hvd": ["mobility", "http://data.europa.eu/bna/c_f399d050"],
        "legal_basis": [{"name": "Loi d'essai", "url": "https://www.legifrance.gouv.fr/x"}],
        "provenance": {"fr": "Saisi à la main", "en": "Entered by hand"},
    }
    shown = [
        replace(one, dataset=Dataset.model_validate({**one.dataset.model_dump(mode="json"), **more}))
        for one in entries(lab, EVERYONE)
    ]
    types = {"ttl": "text/turtle; charset=utf-8", "jsonld": "application/ld+json"}

    def answer(asked: Asked) -> Said:
        page = int(asked.parameters["page"]) if "page" in asked.parameters else None
        return Said(b"".join(feed(settings, shown, form, page)), 200, {"Content-Type": types[form]})

    api.answer = answer
    for url in (f"{api.url}/catalog.{form}", f"{api.url}/catalog.{form}?page=1"):
        items = listed(url)
        found = {values["title"]["fr"]: values for values in drafts(items).values()}
        assert len(found) == len(shown) > 1
        for entry in shown:
            own = entry.dataset.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
            theirs = found[entry.dataset.title["fr"]]
            page = f"{api.url}/datasets/{entry.slug}"
            assert theirs["harvested"]["identifier"] == f"{page}#open"
            for key in own.keys() - {"resources", "spatial", "keywords", "landing_page"}:
                alike = sorted if key in {"themes", "hvd"} else lambda value: value  # RDF has no order
                said = json.loads(json.dumps(own[key]).replace("|", "%7C"))  # no IRI has a `|` in it
                assert alike(theirs[key]) == alike(said), key
            assert theirs["landing_page"] == own.get("landing_page", page)
            assert {lang: set(words) for lang, words in theirs["keywords"].items()} == {
                lang: set(words) for lang, words in own["keywords"].items()
            }
            assert theirs["spatial"] == {"name": own["spatial"]["name"], "bbox": list(entry.place.bbox)}
            titles = [one["title"] for one in theirs["resources"].values()]
            assert titles == [resource.title for resource, _ in entry.resources.values()]


def test_pages_of_a_feed_are_followed_by_hydra_and_by_the_link_header(api: Api):
    def answer(asked: Asked) -> Said:
        page = int(asked.parameters.get("page", "1"))
        head = "@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix hydra: <http://www.w3.org/ns/hydra/core#> .\n"
        body = f"{head}<{api.url}/d/{page}> a dcat:Dataset ; <http://purl.org/dc/terms/title> 'Titre {page}' .\n"
        body += "<x> hydra:totalItems 3 .\n"
        if page == 1:
            body += f"<x> hydra:next <{api.url}/feed?page=2> .\n"
        links = {"Link": f'<{api.url}/feed?page=3>; rel="next"'} if page == 2 else {}
        return Said(body.encode(), 200, {**TURTLE, **links})

    api.answer = answer
    items = listed(f"{api.url}/feed")
    assert [item.identifier for item in items if isinstance(item, Record)] == [f"{api.url}/d/{n}" for n in (1, 2, 3)]
    assert {item for item in items if isinstance(item, Total)} == {Total(3)}


def test_a_feed_that_leads_in_a_circle_ends_and_says_so(api: Api):
    body = "<x> <http://www.w3.org/ns/hydra/core#next> <{}/feed> .".format
    api.answer = lambda _: Said(body(api.url).encode(), 200, TURTLE)
    assert listed(f"{api.url}/feed") == [Failed(None, f"{api.url}/feed", "it leads back to a page before")]


def test_a_next_page_on_an_inner_address_is_refused(api: Api):
    inner = "http://10.0.0.1/feed"
    body = f"<x> <http://www.w3.org/ns/hydra/core#next> <{inner}> ."
    api.answer = lambda _: Said(body.encode(), 200, TURTLE)
    (failed,) = listed(f"{api.url}/feed")
    assert failed.where == inner
    assert "an inner address" in failed.why


CONTEXTS = [
    '{"@context": "http://127.0.0.1:9/context", "@id": "a"}',
    '{"@context": ["file:///etc/hostname"], "@id": "a"}',
    '{"@context": {"@version": 1.1, "@import": "http://127.0.0.1:9/x"}, "@id": "a"}',
    '{"@context": {"t": {"@id": "http://x/", "@context": "http://127.0.0.1:9/x"}}, "@id": "a"}',
    '{"@context": {}, "@graph": [{"@id": "a", "http://x/": [{"@context": "http://127.0.0.1:9/x"}]}]}',
    '{"@context": {}, "@id": "a", "@context": "http://127.0.0.1:9/x"}',
]


@pytest.mark.parametrize("document", CONTEXTS)
def test_no_context_of_elsewhere_is_fetched(document, monkeypatch):
    def reach(*_: object) -> None:
        pytest.fail("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", reach)
    with pytest.raises(SourceError, match="a context of elsewhere, .*which is not fetched; harvest .* Turtle"):
        graph_of(document.encode(), "json-ld", "http://p.example/x")


@pytest.mark.parametrize(
    ("body", "form", "why"),
    [
        (
            b'<!DOCTYPE x [<!ENTITY a "b">]><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>',
            "xml",
            "DTD",
        ),
        (b"<a>" * 200, "xml", "nested more than 100 deep"),
        (b"[ " * 50_000, "turtle", "nested too deep"),
        (b"[" * 100_000, "json-ld", "expected JSON-LD"),
        (b"<http://a> <http://b> ", "turtle", "expected RDF as turtle"),
        (b"\xff\xfe\x00", "turtle", "expected RDF as turtle"),
        (b"<html>", "xml", "expected XML"),
        (b"", "xml", "expected XML"),
    ],
)
def test_hostile_or_broken_rdf_is_refused_by_name(body, form, why):
    with pytest.raises(SourceError, match=f"http://p.example/x: .*{why}"):
        graph_of(body, form, "http://p.example/x")


def test_a_graph_of_too_many_statements_is_refused(monkeypatch):
    monkeypatch.setattr(rdf_module, "MOST", 10)
    body = "".join(f'<http://x/{number}> <http://p> "v" .\n' for number in range(11)).encode()
    for form in ("turtle", "nt"):
        with pytest.raises(SourceError, match="more than 10 statements"):
            graph_of(body, form, "http://p.example/x")
    assert len(graph_of(body.rpartition(b"<http://x/10>")[0], "nt", "http://p.example/x")) == 10


def test_dates_that_are_none_do_not_write_to_the_screen(capfd):
    body = b"<http://x> <http://purl.org/dc/terms/issued> '20-13-01'^^<http://www.w3.org/2001/XMLSchema#date> ."
    assert len(graph_of(body, "turtle", "http://p.example/x")) == 1
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "body",
    [
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><a>&c;</a>',
    ],
)
def test_entities_in_xml_are_refused(body):
    with pytest.raises(SourceError, match="has a document type"):
        xml_page(body, "http://p.example/csw")


def test_what_a_csw_refuses_is_told_in_its_words(api: Api):
    api.answer = lambda _: Said(
        b'<ows:ExceptionReport xmlns:ows="http://www.opengis.net/ows"><ows:Exception exceptionCode="InvalidValue">'
        b"<ows:ExceptionText>outputSchema inconnu</ows:ExceptionText></ows:Exception></ows:ExceptionReport>"
    )
    (failed,) = listed(f"{api.url}/csw")
    assert failed.why == "the service refuses: outputSchema inconnu"


def test_records_in_another_schema_than_asked_for_are_named(api: Api):
    api.answer = lambda _: Said(
        b'<csw:GetRecordsResponse xmlns:csw="http://www.opengis.net/cat/csw/2.0.2"><csw:SearchResults '
        b'numberOfRecordsMatched="1" nextRecord="0"><csw:Record/></csw:SearchResults></csw:GetRecordsResponse>'
    )
    failed = listed(f"{api.url}/csw?service=CSW")[-1]
    assert failed.why == "expected a record of ISO 19139 (gmd:MD_Metadata), found <Record>"


@pytest.mark.parametrize("broken", ["a text", 7, None, {"id": ""}, {"slug": "x"}])
def test_a_record_that_cannot_be_understood_fails_alone(api: Api, broken):
    page = {**UDATA, "data": [broken, UDATA["data"][1]], "total": 2}
    api.answer = lambda asked: page if asked.path == "/api/1/datasets/" else Said({}, 404)
    items = listed(api.url, kind="udata")
    assert isinstance(items[1], Failed)
    assert items[2].identifier == "54126af3a3a7292a00000012"


@pytest.mark.parametrize("value", [7, "x", None, [], {}, [7], {"a": 7}, [None], [{"id": 7}]])
@pytest.mark.parametrize(
    "key", ["title", "resources", "organization", "spatial", "temporal_coverage", "tags", "contact_points"]
)
def test_no_odd_value_of_a_udata_breaks_the_harvest(api: Api, key, value):
    page = {**UDATA, "data": [{**UDATA["data"][0], key: value}], "total": 1}
    api.answer = lambda asked: page if asked.path == "/api/1/datasets/" else Said({}, 404)
    (_, item) = listed(api.url, kind="udata")
    assert isinstance(item, Record | Failed)
    if isinstance(item, Record):
        try:
            draft_of(item)
        except SourceError as error:
            assert "no title" in str(error)  # noqa: PT017


@pytest.mark.parametrize("value", [7, "x", None, [], {}, [7], {"default": 7}, [{"id": 7}], [{"id": "x", "name": 7}]])
@pytest.mark.parametrize("key", ["metas", "fields", "attachments", "has_records", "alternative_exports"])
def test_no_odd_value_of_an_opendatasoft_portal_breaks_the_harvest(api: Api, key, value):
    page = {"total_count": 1, "results": [{**ODS["results"][0], key: value}]}
    api.answer = lambda _: page
    (_, item) = listed(api.url, kind="opendatasoft")
    assert isinstance(item, Record | Failed)
    if isinstance(item, Record):
        assert draft_of(item).values["title"]


def test_a_page_that_fails_is_named_and_the_next_is_asked_for(api: Api):
    def answer(asked: Asked) -> object:
        offset = int(asked.parameters["offset"])
        if offset == 100:
            return Said({"message": "en panne"}, 418)
        result = {**ODS["results"][1], "dataset_id": f"d{offset}"}
        return {
            "total_count": 300,
            "results": [{**result, "dataset_id": f"d{offset + number}"} for number in range(100)],
        }

    api.answer = answer
    items = listed(f"{api.url}/explore")
    failed = [item for item in items if isinstance(item, Failed)]
    assert [one.identifier for one in failed] == [None]
    assert "offset=100" in failed[0].where
    assert "en panne" in failed[0].why
    assert sum(isinstance(item, Record) for item in items) == 200


def test_a_portal_that_gives_only_the_first_of_its_datasets_says_so(api: Api):
    def answer(asked: Asked) -> object:
        offset = int(asked.parameters["offset"])
        return {
            "total_count": 20_000,
            "results": [{**ODS["results"][1], "dataset_id": f"d{offset + n}"} for n in range(5000)],
        }

    api.answer = answer
    last = listed(f"{api.url}/explore")[-1]
    assert isinstance(last, Failed)
    assert "gives 10000 of 20000; ask for less" in last.why


def test_where_no_portal_answers_all_that_was_tried_is_told(api: Api):
    api.answer = lambda asked: HTML if asked.path == "/" else Said({"message": "rien"}, 404)
    with pytest.raises(SourceError) as raised:
        portal_at(api.url, ASKING)
    for kind in ("ckan", "udata", "opendatasoft", "csw"):
        assert f"no {kind}: " in str(raised.value)
    assert "say --kind" in str(raised.value)


@pytest.mark.parametrize(
    "url", ["", "data.gouv.fr", "ftp://x.example/", "file:///etc/passwd", "https://a:b@x.example/", "http://["]
)
def test_what_is_no_web_address_is_refused(url):
    with pytest.raises(UsageError, match="address"):
        portal_at(url, ASKING)


def test_an_inner_address_is_not_asked():
    with pytest.raises(SourceError, match="an inner address"):
        portal_at("http://127.0.0.1:9/", Asking(SETTINGS.model_copy(update={"allow_hosts": ()})))


@pytest.mark.parametrize(
    ("url", "kind", "address", "scope"),
    [
        (
            "https://ckan.example/organization/region",
            "ckan",
            "https://ckan.example/",
            "fq=%2Borganization%3A%22region%22",
        ),
        (
            "https://x.example/ckan/fr/dataset?q=eau&tags=bio",
            "ckan",
            "https://x.example/ckan/",
            "q=eau&fq=%2Btags%3A%22bio%22",
        ),
        ("https://ckan.example/dataset/eau", "ckan", "https://ckan.example/", "eau"),
        ("https://ckan.example/api/3/action/package_search?fq=a:b", "ckan", "https://ckan.example/", "fq=%2Ba%3Ab"),
        ("https://www.data.gouv.fr/datasets/search/?tag=eau", "udata", "https://www.data.gouv.fr/", "tag=eau"),
        (
            "https://www.data.gouv.fr/api/1/datasets/?organization=5&page=3",
            "udata",
            "https://www.data.gouv.fr/",
            "organization=5",
        ),
        (
            "https://www.data.gouv.fr/fr/organizations/x/#/datasets",
            "udata",
            "https://www.data.gouv.fr/",
            "organization=x",
        ),
        ("https://ods.example/explore/dataset/air/table/", "opendatasoft", "https://ods.example/", "air"),
        (
            "https://ods.example/api/explore/v2.1/catalog/datasets?refine=a:b&limit=5",
            "opendatasoft",
            "https://ods.example/",
            "refine=a%3Ab",
        ),
        ("https://ckan.example/catalog.ttl?page=2", "dcat", "https://ckan.example/catalog.ttl", ""),
        (
            "https://geo.example/geonetwork/srv/fre/csw?request=GetCapabilities",
            "csw",
            "https://geo.example/geonetwork/srv/fre/csw",
            "",
        ),
        (
            "https://geo.example/ows?map=x&service=CSW&constraint=a",
            "csw",
            "https://geo.example/ows?map=x",
            "constraint=a",
        ),
    ],
)
def test_the_form_of_an_address_says_what_portal_it_is_of_and_what_part_is_meant(url, kind, address, scope):
    portal = portal_at(url, ASKING)
    assert (portal.kind, portal.address, portal.scope) == (kind, address, scope)
