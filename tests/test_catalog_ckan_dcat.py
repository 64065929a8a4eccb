"""What CKAN says of a dataset in DCAT is what the portal says, whether CKAN has extras or the fields of a schema."""

from __future__ import annotations

import urllib.request

import pytest
import shapely
from fixtures_ckan import extras_of, whats
from rdflib import Graph, Namespace, URIRef
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDFS, SKOS

from catalog.ckan.names import tag_name
from catalog.dcat import graph
from catalog.entries import EVERYONE, entries
from catalog.settings import CatalogSettings

DCATAP = Namespace("http://data.europa.eu/r5r/")
GEO = Namespace("http://www.opengis.net/ont/geosparql#")
LOCN = Namespace("http://www.w3.org/ns/locn#")
SPDX = Namespace("http://spdx.org/rdf/terms#")
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")
NODE = URIRef("http://127.0.0.1:8420/datasets/communes#open")
SCHEMAS = ["none", "dcat_ap_recommended.yaml", "dcat_ap_full.yaml"]

FULL = {
    "title": {"fr": "Communes", "en": "Municipalities"},
    "description": {"fr": "Les communes.\n\nEt leurs noms."},
    "publisher": {"name": "Région", "siren": "200053403", "url": "https://exemple.fr/"},
    "themes": ["REGI", "GOVE"],
    "keywords": {"fr": ["découpage", "Qualité de l'eau"], "en": ["boundaries"]},
    "licence": "ODbL-1.0",
    "licence_note": "Citer la Région.",
    "temporal": {"start": "2020-01-01", "end": "2025-12-31"},
    "landing_page": "https://exemple.fr/communes",
    "hvd": ["geospatial", "statistics"],
    "legal_basis": [{"name": "Loi", "url": "https://www.legifrance.gouv.fr/eli/loi/2016/10/7/1"}],
    "provenance": {"fr": "Code officiel géographique."},
}
TABLE = {
    "description": {"fr": "Une ligne par commune."},
    "columns": {"code": {"title": {"fr": "Code"}}},
}


@pytest.fixture(params=SCHEMAS)
def ckan_of(request, published, ckan):
    """A CKAN whose datasets have the fields of this schema of ckanext-dcat's, or extras alone."""
    if request.param == "none":
        yield published
        return
    ckan.stop_ckan()
    ckan.start_ckan(request.param)
    try:
        yield published
    finally:
        ckan.stop_ckan()
        ckan.start_ckan()


def of_ckan(published, slug="communes"):
    with urllib.request.urlopen(f"{published.ckan.url}/dataset/{slug}.ttl", timeout=60) as answer:
        return Graph().parse(data=answer.read().decode(), format="turtle")


def of_portal(published):
    lab = published.folder.lab
    return graph(lab.section("catalog", CatalogSettings), entries(lab, EVERYONE))


def told(found, node, predicate):
    """What is said of a node, as text; where it is said in several languages, in French or in none."""
    values = list(found.objects(node, predicate))
    return {str(value) for value in values if getattr(value, "language", None) in (None, "fr")}


def one(found, node, predicate):
    """The one node that is pointed to."""
    (there,) = set(found.objects(node, predicate))
    return there


def shape(found, place, predicate):
    """The geometry of a place, which the portal says by a node, to the ten metres."""
    wkts = {str(wkt) for there in found.objects(place, predicate) for wkt in found.objects(there, GEO.asWKT)}
    wkts |= {str(wkt) for wkt in found.objects(place, predicate) if str(wkt).startswith(("POLYGON", "MULTI"))}
    return {shapely.normalize(shapely.set_precision(shapely.from_wkt(wkt), 0.0001)).wkt for wkt in wkts}


def claims(found):
    """All that is said of the dataset, in a form in which the two can be compared."""
    publisher, contact = one(found, NODE, DCTERMS.publisher), one(found, NODE, DCAT.contactPoint)
    place, period = one(found, NODE, DCTERMS.spatial), one(found, NODE, DCTERMS.temporal)
    alike = {
        name: told(found, NODE, predicate)
        for name, predicate in {
            "title": DCTERMS.title,
            "description": DCTERMS.description,
            "identifier": DCTERMS.identifier,
            "themes": DCAT.theme,
            "frequency": DCTERMS.accrualPeriodicity,
            "access rights": DCTERMS.accessRights,
            "languages": DCTERMS.language,
            "issued": DCTERMS.issued,
            "modified": DCTERMS.modified,
            "landing page": DCAT.landingPage,
            "version": URIRef(f"{DCAT}version"),
            "laws": DCATAP.applicableLegislation,
            "hvd": DCATAP.hvdCategory,
        }.items()
    }
    return {
        **alike,
        # CKAN's keywords are its tags, which have no apostrophe
        "keywords": {tag_name(str(word)) for word in found.objects(NODE, DCAT.keyword)},
        "publisher": (publisher, *(told(found, publisher, what) for what in (FOAF.name, DCTERMS.identifier))),
        "homepage": told(found, publisher, FOAF.homepage),
        "contact": (contact, told(found, contact, VCARD.fn), told(found, contact, VCARD.hasEmail)),
        "place": (place, told(found, place, SKOS.prefLabel), shape(found, place, DCAT.bbox)),
        "shape": shape(found, place, LOCN.geometry),
        "period": (told(found, period, DCAT.startDate), told(found, period, DCAT.endDate)),
        "provenance": told(found, one(found, NODE, DCTERMS.provenance), RDFS.label),
        "distributions": {str(there): file(found, there) for there in found.objects(NODE, DCAT.distribution)},
    }


def file(found, node):
    """All that is said of one download."""
    alike = {
        name: told(found, node, predicate)
        for name, predicate in {
            "title": DCTERMS.title,
            "description": DCTERMS.description,
            "page": DCAT.accessURL,
            "download": DCAT.downloadURL,
            "licence": DCTERMS.license,
            "standard": DCTERMS.conformsTo,
            "laws": DCATAP.applicableLegislation,
            "bytes": DCAT.byteSize,
            "modified": DCTERMS.modified,
        }.items()
    }
    media = {
        kind.removeprefix("https://www.iana.org/assignments/media-types/") for kind in told(found, node, DCAT.mediaType)
    }
    return {
        **alike,
        "media type": media,
        "format": {form.rpartition("/")[2].upper() for form in told(found, node, DCTERMS["format"])},
        "rights": told(found, one(found, node, DCTERMS.rights), RDFS.label),
    }


def test_ckans_turtle_parses_to_the_dataset_that_the_portals_does_and_follows_it(ckan_of):
    ckan_of.table("communes", resource=TABLE, **FULL)
    ckan_of.run()
    ckans = of_ckan(ckan_of)
    said = claims(ckans)
    for name, what in claims(of_portal(ckan_of)).items():
        assert said[name] == what, name
        assert what, name
    sums = {str(value) for value in ckans.objects(None, SPDX.checksumValue)}
    (parquet, _) = ckan_of.show()["resources"]
    assert sums == {parquet["hash"]}
    assert len(parquet["hash"]) == 64
    assert ckan_of.run().todo == ()

    own = {"key": "relecture", "value": "faite"}
    ckan_of.call("package_patch", id="communes", extras=[*ckan_of.show()["extras"], own])
    gone = {"temporal", "provenance", "hvd", "licence_note"}
    less = {name: value for name, value in FULL.items() if name not in gone}
    ckan_of.describe("communes", resource=TABLE, **less, frequency="DAILY", contact={"name": "Anne", "email": "a@b.fr"})
    (action,) = ckan_of.run().todo
    assert action.call == "package_revise"
    found, wanted = of_ckan(ckan_of), of_portal(ckan_of)
    for predicate in (DCTERMS.accrualPeriodicity, DCTERMS.temporal, DCTERMS.provenance, DCATAP.hvdCategory, DCAT.theme):
        assert told(found, NODE, predicate) == told(wanted, NODE, predicate)
    assert told(found, one(found, NODE, DCAT.contactPoint), VCARD.fn) == {"Anne"}
    assert extras_of(ckan_of.show())["relecture"] == "faite"
    assert ckan_of.run().todo == ()


def test_a_ckan_that_is_given_a_schema_has_its_extras_made_fields(published, ckan):
    published.table("communes", resource=TABLE, **FULL)
    published.run()
    before = published.show()
    ckan.stop_ckan()
    ckan.start_ckan("dcat_ap_full.yaml")
    try:
        assert whats(published.run())["dataset communes"] == "update"
        after = published.show()
        assert after["publisher"][0]["name"] == "Région"
        assert set(extras_of(after)) & set(extras_of(before)) == {"datalab", "datalab_owns", "hvd_category"}
        assert published.run().todo == ()
    finally:
        ckan.stop_ckan()
        ckan.start_ckan()
    assert whats(published.run())["dataset communes"] == "update"
    assert extras_of(published.show()) == extras_of(before)
    assert published.run().todo == ()
