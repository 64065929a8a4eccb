from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from rdflib import Graph, Literal, Namespace, URIRef
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF, RDFS, SKOS, XSD

from catalog import feed
from catalog.dcat import DCATAP, ELI, GEO, LOCN, VCARD, VERSION, graph
from catalog.entries import EVERYONE, entries
from catalog.model import Dataset
from catalog.settings import CatalogSettings

BASE = "https://data.exemple.fr/"
OPEN = URIRef(f"{BASE}datasets/subventions#open")

ONE, MANY = 1, 10**9
LITERAL = None
ANY = URIRef("urn:any")

# What https://semiceu.github.io/DCAT-AP/releases/3.0.1/shacl/dcat-ap-SHACL.ttl asks of the classes that we write:
# property → fewest, most, and the class of what it points to (LITERAL: no node).
SHAPES = {
    DCAT.Catalog: {
        DCTERMS.title: (1, MANY, LITERAL),
        DCTERMS.description: (1, MANY, LITERAL),
        DCTERMS.publisher: (1, ONE, FOAF.Agent),
        DCTERMS.language: (0, MANY, DCTERMS.LinguisticSystem),
        DCTERMS.modified: (0, ONE, LITERAL),
        DCAT.themeTaxonomy: (0, MANY, SKOS.ConceptScheme),
        FOAF.homepage: (0, ONE, FOAF.Document),
        DCAT.dataset: (0, MANY, DCAT.Dataset),
        DCAT.service: (0, MANY, DCAT.DataService),
    },
    DCAT.DataService: {
        DCTERMS.title: (1, MANY, LITERAL),
        DCAT.endpointURL: (1, MANY, ANY),
        DCAT.endpointDescription: (0, MANY, ANY),
        DCAT.servesDataset: (0, MANY, DCAT.Dataset),
        DCAT.contactPoint: (0, MANY, VCARD.Kind),
        DCTERMS.accessRights: (0, ONE, DCTERMS.RightsStatement),
        DCTERMS.license: (0, ONE, DCTERMS.LicenseDocument),
        DCTERMS.rights: (0, MANY, DCTERMS.RightsStatement),
        DCATAP.hvdCategory: (0, MANY, SKOS.Concept),
        DCATAP.applicableLegislation: (0, MANY, ELI.LegalResource),
    },
    DCAT.Dataset: {
        DCTERMS.title: (1, MANY, LITERAL),
        DCTERMS.description: (1, MANY, LITERAL),
        DCTERMS.identifier: (0, MANY, LITERAL),
        DCTERMS.publisher: (0, ONE, FOAF.Agent),
        DCAT.contactPoint: (0, MANY, VCARD.Kind),
        DCAT.theme: (0, MANY, SKOS.Concept),
        DCAT.keyword: (0, MANY, LITERAL),
        DCTERMS.accrualPeriodicity: (0, ONE, DCTERMS.Frequency),
        DCTERMS.accessRights: (0, ONE, DCTERMS.RightsStatement),
        DCTERMS.language: (0, MANY, DCTERMS.LinguisticSystem),
        DCTERMS.provenance: (0, MANY, DCTERMS.ProvenanceStatement),
        DCATAP.hvdCategory: (0, MANY, SKOS.Concept),
        DCATAP.applicableLegislation: (0, MANY, ELI.LegalResource),
        DCTERMS.spatial: (0, MANY, DCTERMS.Location),
        DCTERMS.temporal: (0, MANY, DCTERMS.PeriodOfTime),
        DCTERMS.issued: (0, ONE, LITERAL),
        DCTERMS.modified: (0, ONE, LITERAL),
        DCAT.landingPage: (0, MANY, FOAF.Document),
        VERSION: (0, ONE, LITERAL),
        DCAT.distribution: (0, MANY, DCAT.Distribution),
    },
    DCAT.Distribution: {
        DCTERMS.title: (0, MANY, LITERAL),
        DCTERMS.description: (0, MANY, LITERAL),
        DCAT.accessURL: (1, MANY, ANY),
        DCAT.accessService: (0, MANY, DCAT.DataService),
        DCAT.downloadURL: (0, MANY, ANY),
        DCTERMS["format"]: (0, ONE, DCTERMS.MediaTypeOrExtent),
        DCATAP.applicableLegislation: (0, MANY, ELI.LegalResource),
        DCAT.mediaType: (0, ONE, DCTERMS.MediaType),
        DCTERMS.license: (0, ONE, DCTERMS.LicenseDocument),
        DCTERMS.rights: (0, MANY, DCTERMS.RightsStatement),
        DCTERMS.conformsTo: (0, MANY, DCTERMS.Standard),
        DCAT.byteSize: (0, ONE, LITERAL),
        DCTERMS.modified: (0, ONE, LITERAL),
    },
    DCTERMS.Location: {
        SKOS.prefLabel: (0, MANY, LITERAL),
        DCAT.bbox: (0, ONE, LITERAL),
        LOCN.geometry: (0, ONE, LOCN.Geometry),
    },
    DCTERMS.PeriodOfTime: {DCAT.startDate: (0, ONE, LITERAL), DCAT.endDate: (0, ONE, LITERAL)},
    FOAF.Agent: {
        FOAF.name: (1, MANY, LITERAL),
        DCTERMS.identifier: (0, MANY, LITERAL),
        FOAF.homepage: (0, MANY, FOAF.Document),
    },
    SKOS.Concept: {SKOS.prefLabel: (1, MANY, LITERAL), SKOS.inScheme: (0, MANY, SKOS.ConceptScheme)},
    SKOS.ConceptScheme: {DCTERMS.title: (1, MANY, LITERAL)},
}


@pytest.fixture
def made(open_lab):
    return graph(open_lab.section("catalog", CatalogSettings), entries(open_lab, EVERYONE))


def wrong(made):
    """Everything in the graph that its shapes do not allow."""
    for kind, shape in SHAPES.items():
        for node in made.subjects(RDF.type, kind):
            yield from ((node, predicate) for predicate in made.predicates(node) if predicate not in {RDF.type, *shape})
            for predicate, (fewest, most, pointed) in shape.items():
                values = list(made.objects(node, predicate))
                if not fewest <= len(values) <= most:
                    yield node, predicate, len(values)
                for value in values:
                    if (pointed is LITERAL) != isinstance(value, Literal):
                        yield node, predicate, value
                    elif pointed not in {LITERAL, ANY} and (value, RDF.type, pointed) not in made:
                        yield node, predicate, value, pointed


def test_the_catalogue_is_what_the_official_shapes_ask(made):
    assert list(wrong(made)) == []


def test_an_empty_catalogue_is_too():
    assert list(wrong(graph(CatalogSettings(), ()))) == []


def test_every_edition_granted_to_everyone_is_a_dataset_and_nothing_else_is_there(made):
    assert set(made.subjects(RDF.type, DCAT.Dataset)) == {OPEN, URIRef(f"{BASE}datasets/communes#open")}
    text = made.serialize(format="turtle")
    assert "secrets" not in text
    assert "ultraconfidentiel" not in text
    assert "/raw/" not in text


def test_the_place_has_a_wkt_literal_of_its_own_which_data_gouv_fr_reads(made):
    place = made.value(OPEN, DCTERMS.spatial)
    literals = [
        value for value in made.objects(place) if isinstance(value, Literal) and value.datatype == GEO.wktLiteral
    ]
    ring = "-1.95 48.17, 1.81 48.17, 1.81 50.08, -1.95 50.08, -1.95 48.17"
    assert [str(value) for value in literals] == [f"POLYGON(({ring}))"]


def test_each_table_is_offered_in_two_formats_at_addresses_of_the_portal(made):
    urls = {str(url) for url in made.objects(None, DCAT.downloadURL)}
    assert f"{BASE}data/subventions/open/versements.csv" in urls
    assert f"{BASE}data/subventions/open/versements.parquet" in urls
    node = URIRef(f"{BASE}datasets/subventions#open-versements-csv")
    assert made.value(node, DCTERMS.license) == URIRef("https://spdx.org/licenses/etalab-2.0")
    assert made.value(node, DCAT.mediaType) == URIRef("https://www.iana.org/assignments/media-types/text/csv")
    file_type = "http://publications.europa.eu/resource/authority/file-type/CSV"
    assert made.value(node, DCTERMS["format"]) == URIRef(file_type)


def test_the_size_is_told_only_of_a_file_that_is_there(open_lab, made):
    sizes = {str(node).rpartition("#")[2]: value for node, value in made.subject_objects(DCAT.byteSize)}
    served = open_lab.lake.current("subventions", "open").resources["versements"]
    size = Literal(str(sum(served.files.values())), datatype=XSD.nonNegativeInteger)
    assert sizes == {"open-versements-parquet": size}


def test_texts_keep_their_languages_and_keywords_are_literals(made):
    assert set(made.objects(OPEN, DCTERMS.title)) == {
        Literal("Subventions versées aux associations", lang="fr"),
        Literal("Grants paid to associations", lang="en"),
    }
    assert Literal("vie associative", lang="fr") in set(made.objects(OPEN, DCAT.keyword))


def test_the_publisher_is_known_by_its_siren(made):
    publisher = made.value(OPEN, DCTERMS.publisher)
    assert publisher == URIRef(f"{BASE}#publisher-200053403")
    assert made.value(publisher, DCTERMS.identifier) == Literal("200053403")


def test_no_node_is_blank_and_every_address_is_one_that_turtle_takes(made):
    assert not [node for triple in made for node in triple if not isinstance(node, URIRef | Literal)]
    again = Graph().parse(data=made.serialize(format="turtle"), format="turtle")
    assert set(again) == set(made)


def test_dates_are_dates(made):
    assert made.value(OPEN, DCTERMS.issued) == Literal("2024-03-01", datatype=XSD.date)
    assert made.value(OPEN, DCTERMS.modified).datatype == XSD.dateTime


def test_a_fragment_never_meets_the_name_of_an_edition(made):
    page = Namespace(f"{BASE}datasets/subventions#")
    assert (page["contact-point"], RDF.type, VCARD.Kind) in made
    assert (page["period-covered"], DCAT.startDate, Literal("2020-01-01", datatype=XSD.date)) in made


def described(open_lab, **more):
    """The entry of `subventions` with more in its descriptor."""
    entry = entries(open_lab, EVERYONE)[-1]
    given = yaml.safe_load((open_lab.root / "datasets" / "subventions.yaml").read_text())
    return replace(entry, dataset=Dataset.model_validate({**given, **more}))


def test_a_high_value_dataset_names_its_category_and_the_regulation_on_dataset_and_files(open_lab):
    law = {"name": "Loi pour une République numérique", "url": "https://www.legifrance.gouv.fr/loda/id/JORFTEXT1/"}
    entry = described(open_lab, hvd=["statistics"], legal_basis=[law, {"name": "Sans adresse"}])
    made = graph(open_lab.section("catalog", CatalogSettings), [entry])
    assert list(wrong(made)) == []
    assert set(made.objects(OPEN, DCATAP.hvdCategory)) == {URIRef("http://data.europa.eu/bna/c_e1da4e07")}
    laws = {URIRef("http://data.europa.eu/eli/reg_impl/2023/138/oj"), URIRef(law["url"])}
    assert set(made.objects(OPEN, DCATAP.applicableLegislation)) == laws
    for node in made.objects(OPEN, DCAT.distribution):
        assert set(made.objects(node, DCATAP.applicableLegislation)) == laws


def test_the_gateway_is_told_as_the_data_service_of_each_dataset_where_the_lab_says_where_it_answers(open_lab):
    entry = described(open_lab, hvd=["statistics"])
    assert DCAT.DataService not in set(graph(open_lab.section("catalog", CatalogSettings), [entry]).objects())
    made = graph(CatalogSettings(url=BASE, api="https://data.exemple.fr/api"), [entry])
    assert list(wrong(made)) == []
    (service,) = made.subjects(RDF.type, DCAT.DataService)
    assert set(made.subjects(DCAT.service, service)) == {URIRef(f"{BASE}#catalogue")}
    assert set(made.objects(service, DCAT.servesDataset)) == {OPEN}
    assert set(made.objects(service, DCAT.endpointURL)) == {URIRef(f"{BASE}api/data/subventions/open")}
    assert set(made.objects(service, DCAT.endpointDescription)) == {URIRef(f"{BASE}api/openapi.json")}
    assert set(made.objects(service, DCATAP.hvdCategory)) == set(made.objects(OPEN, DCATAP.hvdCategory)) != set()
    files = set(made.objects(OPEN, DCAT.distribution))
    assert set(made.subjects(DCAT.accessService, service)) == files != set()


def test_where_the_data_come_from_and_the_languages_are_told(open_lab):
    made = graph(
        open_lab.section("catalog", CatalogSettings),
        [described(open_lab, provenance={"fr": "Saisie des services.", "br": "Gant ar servijoù."})],
    )
    assert list(wrong(made)) == []
    labels = set(made.objects(made.value(OPEN, DCTERMS.provenance), RDFS.label))
    assert labels == {Literal("Saisie des services.", lang="fr"), Literal("Gant ar servijoù.", lang="br")}
    languages = {str(node).rpartition("/")[2] for node in made.objects(OPEN, DCTERMS.language)}
    assert languages == {"FRA", "ENG"}


def many(open_lab, count):
    """So many entries, the one of `subventions` under other slugs."""
    entry = entries(open_lab, EVERYONE)[-1]
    return [replace(entry, slug=f"copy_{number:04}") for number in range(count)]


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")  # rdflib's own reader of JSON-LD uses it
@pytest.mark.parametrize(("form", "parser"), [("ttl", "turtle"), ("jsonld", "json-ld")])
def test_the_pages_of_the_feed_lead_to_each_other_and_say_together_what_the_whole_says(open_lab, form, parser):
    settings, shown = open_lab.section("catalog", CatalogSettings), many(open_lab, 2 * feed.PER_PAGE + 1)
    whole = Graph().parse(data=b"".join(feed.feed(settings, shown, form)), format=parser)
    assert set(whole) == set(graph(settings, shown))
    together, address = set(), f"{BASE}catalog.{form}?page=1"
    for number in range(1, 4):
        assert address == f"{BASE}catalog.{form}?page={number}"
        page = Graph().parse(data=b"".join(feed.feed(settings, shown, form, number)), format=parser)
        assert next(page.objects(None, feed.HYDRA.totalItems)) == Literal(201)
        together |= {triple for triple in page if feed.HYDRA not in f"{triple[1]} {triple[2]}"}
        following = next(page.objects(None, feed.HYDRA.next), None)
        address = None if following is None else str(following)
    assert address is None
    assert together == set(whole)


def test_the_feed_of_an_empty_catalogue_has_one_page(open_lab):
    settings = open_lab.section("catalog", CatalogSettings)
    assert feed.pages(()) == 1
    page = Graph().parse(data=b"".join(feed.feed(settings, (), "ttl", 1)), format="turtle")
    assert next(page.objects(None, feed.HYDRA.totalItems)) == Literal(0)


def test_the_feed_is_told_piece_by_piece_and_makes_no_dataset_before_it_is_asked_for(open_lab):
    made = []

    class Watched(list):
        def __iter__(self):
            for entry in super().__iter__():
                made.append(entry.slug)
                yield entry

    pieces = feed.feed(open_lab.section("catalog", CatalogSettings), Watched(many(open_lab, 50)), "ttl")
    for _ in range(5):
        next(pieces)
    assert len(made) - 50 < 5  # the head asks each for its date


def test_two_runs_give_the_same_bytes(open_lab):
    program = (
        "import sys, pathlib; from catalog.lab import Lab; from catalog.web.state import Shelf; "
        "s = Shelf(Lab.open(pathlib.Path(sys.argv[1]))).now(); "
        "[sys.stdout.buffer.write(b) for f in ('ttl', 'jsonld') for b in s.feed(f, None)]"
    )
    root = Path(__file__).parent.parent
    texts = {
        subprocess.run(
            [sys.executable, "-c", program, str(open_lab.root)],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(texts) == 1
