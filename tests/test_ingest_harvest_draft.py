"""A record of a portal → a draft: what is known, guessed and missing; its names; and its YAML, which says it again."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from catalog.model import Dataset
from ingest.harvest.draft import NEEDED, Draft, Note
from ingest.harvest.drafting import draft_of
from ingest.harvest.names import slug
from ingest.harvest.places import spatial
from ingest.harvest.record import Area, Field, Link, Party, Record
from ingest.harvest.tables import tables
from ingest.harvest.yamltext import descriptor_yaml, values_of
from policies.errors import SourceError

RECORD = Record(
    portal="https://data.example.org/",
    identifier="5f0e1c2d-3b4a",
    name="bornes-de-recharge",
    title={"fr": "Bornes de recharge : l'essai", "en": "Charging points"},
    description={"": "<p>Points de recharge.</p><p>Chaque mois.</p>"},
    page="https://data.example.org/dataset/bornes",
    publisher=Party(name="Région Exemple", number="200 053 403 00017", url="https://exemple.org"),
    contacts=(Party(name="Accueil"), Party(name="SIG", email="mailto:sig@exemple.org")),
    themes=("http://publications.europa.eu/resource/authority/data-theme/TRAN",),
    keywords={"": ("irve", "mobilité", "irve"), "en": ("charging",)},
    licences=("lov2",),
    frequency="monthly",
    areas=(Area(name="Normandie", codes=("fr:region:28",)),),
    start="2020",
    end="2024-06",
    issued="2024-01-15T08:00:00Z",
    modified="2025-02-03T04:05:06.789+01:00",
    hvd=("http://data.europa.eu/bna/c_b79e35eb",),
    basis=(("Loi d'orientation des mobilités", "https://www.legifrance.gouv.fr/loda/id/JORFTEXT000039666574/"),),
    links=(
        Link(key="a1", title={"": "Bornes (CSV)"}, url="https://data.example.org/bornes.csv", form="CSV"),
        Link(key="a2", title={"": "Bornes (GeoJSON)"}, url="https://data.example.org/bornes.geojson", form="GeoJSON"),
        Link(key="a3", title={"": "Notice"}, url="https://data.example.org/notice.pdf", form="PDF"),
    ),
)
EXPECTED = """\
title: {fr: "Bornes de recharge : l'essai", en: Charging points}
description:
  fr: |-
    Points de recharge.

    Chaque mois.
publisher: {name: Région Exemple, siren: "200053403", url: "https://exemple.org"}
contact: {name: SIG, email: sig@exemple.org}
themes: [TRAN]
keywords: {fr: [irve, mobilité], en: [charging]}
licence: LO-2.0
frequency: MONTHLY
spatial: {name: Normandie, regions: ["28"]}
temporal: {start: 2020-01-01, end: 2024-06-30}
issued: 2024-01-15
landing_page: "https://data.example.org/dataset/bornes"
hvd: [mobility]
legal_basis: [{name: Loi d'orientation des mobilités, url: "https://www.legifrance.gouv.fr/loda/id/JORFTEXT000039666574/"}]
harvested: {portal: "https://data.example.org/", identifier: 5f0e1c2d-3b4a, modified: "2025-02-03T04:05:06+01:00"}
# note: left out: 'Notice': the lab does not read pdf
resources:
  # note: the portal has the same as csv
  bornes_geojson:
    title: {fr: Bornes}
    source: {url: "https://data.example.org/bornes.geojson"}
    origin: "https://data.example.org/bornes.geojson"
"""


def kinds(draft: Draft, key: str) -> set[str]:
    return {note.kind for note in draft.notes if note.place[:1] == (key,)}


def test_a_record_that_says_all_becomes_a_descriptor_in_the_manner_of_the_house():
    draft = draft_of(
        replace(
            RECORD,
            links=tuple(replace(one, title={"": "Bornes geojson"}) if one.key == "a2" else one for one in RECORD.links),
        )
    )
    assert draft.slug == "bornes_de_recharge"
    assert draft.missing == ()
    assert descriptor_yaml(draft).replace("Bornes geojson", "Bornes") == EXPECTED
    assert Dataset.model_validate(draft.values).harvested.identifier == "5f0e1c2d-3b4a"


def test_a_record_that_says_nothing_becomes_a_draft_that_says_what_is_to_do():
    draft = draft_of(Record(portal="https://data.example.org/", identifier="x1", title={"": "Chose"}, description={}))
    assert draft.values == {
        "title": {"fr": "Chose"},
        "frequency": "UNKNOWN",
        "harvested": {"portal": "https://data.example.org/", "identifier": "x1"},
    }
    assert set(draft.missing) == set(NEEDED) - {"title", "frequency"}
    text = descriptor_yaml(draft)
    for key in draft.missing:
        assert re.search(rf"^# to do: {key}: \S", text, re.MULTILINE), key
    assert "# guessed: the portal does not say how often the data change\nfrequency: UNKNOWN" in text


@pytest.mark.parametrize(("lacks", "named"), [({"title": {}}, "no title"), ({"identifier": ""}, "no identifier")])
def test_a_record_without_title_or_identifier_is_refused_by_name(lacks, named):
    with pytest.raises(SourceError, match=named):
        draft_of(replace(RECORD, **lacks))


def test_an_unknown_licence_language_or_theme_is_named_and_not_guessed():
    draft = draft_of(
        replace(
            RECORD,
            licences=("licence-maison",),
            themes=("Choses",),
            keywords={"": ("objet",)},
            title={"fr": "Un titre", "tlh": "pong"},
        )
    )
    assert {"licence", "themes"} <= set(draft.missing)
    text = descriptor_yaml(draft)
    assert "# to do: licence: the portal says 'licence-maison': no licence that the lab knows" in text
    assert "# to do: themes: the portal's theme 'Choses' is none of the EU's" in text
    assert "# note: left out: a text in 'tlh', a language that descriptors have not" in text


def test_a_siren_is_taken_where_its_key_is_good_and_an_address_that_is_one():
    wrong = draft_of(replace(RECORD, publisher=Party(name="X", number="200053404", url="javascript:alert(1)")))
    assert wrong.values["publisher"] == {"name": "X"}


def test_secrets_in_an_address_stay_out():
    link = Link(key="k", title={"": "t"}, url="https://moi:secret@example.org/x.csv", form="csv")
    draft = draft_of(replace(RECORD, links=(link,), page="https://moi:secret@example.org/"))
    assert "resources" in draft.missing
    assert "secret@" not in descriptor_yaml(draft)


def test_a_script_in_a_title_or_a_description_is_not_in_the_draft():
    evil = "<script>alert(1)</script>Titre &lt;script&gt;alert(2)&lt;/script&gt;"
    draft = draft_of(replace(RECORD, title={"": evil}, description={"": evil}, keywords={"": (evil,)}))
    assert draft.values["title"] == {"fr": "Titre"}
    assert not re.search("script>|alert", descriptor_yaml(draft))


def test_columns_and_connectors_that_a_portal_knows_are_taken():
    link = Link(
        key="gares",
        title={"": "Gares"},
        source={"opendatasoft": "https://data.example.org/", "dataset": "gares"},
        fields=(Field(name="code", title="Code INSEE", unit="-"), Field(name="nom", title="nom")),
    )
    (resource,) = draft_of(replace(RECORD, links=(link,))).values["resources"].values()
    assert resource["source"] == {"opendatasoft": "https://data.example.org/", "dataset": "gares"}
    assert resource["columns"] == {"code": {"title": {"fr": "Code INSEE"}, "unit": "-"}}


def test_names_are_kept_from_before_and_none_is_given_twice():
    links = [
        Link(key=f"k{number}", title={"": "Table"}, url=f"https://e.org/{number}.csv", form="csv")
        for number in range(3)
    ]
    first = draft_of(replace(RECORD, links=tuple(links)))
    assert len(set(first.names.values())) == 3
    again = draft_of(replace(RECORD, links=(*reversed(links),)), names=first.names)
    assert again.names == first.names
    assert again.values["resources"].keys() == first.values["resources"].keys()


def test_a_slug_is_readable_unique_and_the_same_whatever_came_first():
    assert slug(["Écoles & cœurs de ville"], "k", ()) == "ecoles_coeurs_de_ville"
    assert slug(["2024 en chiffres"], "k", ()) == "d_2024_en_chiffres"
    assert slug(["5f0e1c2d-3b4a-5968-7768-a1b2c3d4e5f6", "Le titre"], "k", ()) == "le_titre"
    assert slug(["communes.csv"], "k", ()) == "communes"
    one, other = slug(["main"], "k1", ()), slug(["main"], "k2", ())
    assert one != other
    assert one == slug(["main"], "k1", {"main", other})


@given(st.lists(st.text(max_size=90), max_size=3), st.sets(st.text(max_size=5), max_size=3))
def test_every_slug_is_one_that_the_lab_takes(said, taken):
    made = slug(said, "clé", taken)
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,62}", made)
    assert made not in taken
    assert made == slug(said, "clé", taken)


@pytest.mark.parametrize(
    ("area", "expected"),
    [
        (Area(name="N", box=("-2", "48.2", "1.9", "50.1")), {"name": "N", "bbox": [-2.0, 48.2, 1.9, 50.1]}),
        (Area(name="N", box=("3.28", "49.4", "1.31", "50.5")), {"name": "N", "bbox": [1.31, 49.4, 3.28, 50.5]}),
        (Area(name="N", box=("179", "-20", "-179", "-10")), {"name": "N", "bbox": [-180.0, -20.0, 180.0, -10.0]}),
        (Area(name="N", shape="POLYGON((0 49, 1 49, 1 50, 0 49))"), {"name": "N", "bbox": [0.0, 49.0, 1.0, 50.0]}),
        (
            Area(name="N", shape="<http://www.opengis.net/def/crs/EPSG/0/4326> POLYGON((49 0, 49 1, 50 1, 49 0))"),
            {"name": "N", "bbox": [0.0, 49.0, 1.0, 50.0]},
        ),
        (
            Area(shape={"type": "Feature", "geometry": {"type": "Point", "coordinates": [1.5, 49]}}),
            {"name": "de 1.5, 49 à 1.5, 49", "bbox": [1.5, 49.0, 1.5, 49.0]},
        ),
        (Area(name="S", codes=("fr:departement:2A",)), {"name": "S", "departements": ["2A"]}),
        (Area(name="S", codes=("http://id.insee.fr/geo/commune/01001",)), {"name": "S", "communes": ["01001"]}),
        (Area(codes=("country:fr",)), {"name": "France", "bbox": [-63.2, -21.4, 55.9, 51.1]}),
        (Area(name="Quelque part"), None),
        (Area(shape="<http://www.opengis.net/def/crs/EPSG/0/2154> POINT(1 2)"), None),
        (Area(box=("500000", "6000000", "600000", "7000000")), None),
        (Area(shape='{"type": "Point", "coordinates": ' + "[" * 5000), None),
        (Area(shape="nan"), None),
    ],
)
def test_a_place_is_a_box_on_the_globe_or_codes_or_is_to_do(area, expected):
    placed = spatial([area])
    assert placed.values == expected
    if expected is None:
        assert placed.told
    else:
        assert Dataset.model_validate({**draft_of(RECORD).values, "spatial": expected})


def test_of_a_table_in_several_formats_the_one_that_keeps_most_is_taken():
    links = [
        Link(key=form, title={"": f"Arbres ({form})"}, url=f"https://e.org/a.{form}", form=form)
        for form in ("json", "csv", "shp", "parquet")
    ]
    (taken,) = tables(links).taken
    assert taken.link.key == "parquet"
    assert set(taken.also) == {"csv", "json", "shapefile"}


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ({"url": "ftp://e.org/x.csv"}, "no web address"),
        ({"url": "file:///etc/passwd", "form": "csv"}, "no web address"),
        ({"url": None}, "no address"),
        ({"url": "https://e.org/x", "form": "image/png"}, "does not read"),
        ({"url": "https://e.org/wms", "form": "WMS"}, "does not read wms"),
        ({"url": "https://e.org/x.csv", "aside": "documentation"}, "documentation"),
        ({"url": "http://[bad"}, "is no address"),
    ],
)
def test_a_link_that_is_no_table_is_told_with_why(link, why):
    chosen = tables([Link(key="k", title={"": "Lien"}, **link)])
    assert chosen.taken == ()
    assert chosen.aside[0][0] == "Lien"
    assert why in chosen.aside[0][1]


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=60)
WORDS = st.dictionaries(st.sampled_from(["", "fr", "en", "xx"]), TEXT, max_size=3)
LINKS = st.lists(
    st.builds(
        Link,
        key=st.text(min_size=1, max_size=8),
        title=WORDS,
        url=st.one_of(st.none(), TEXT, st.just("https://e.org/a b.csv"), st.just("https://e.org/x")),
        form=st.one_of(st.none(), st.sampled_from(["CSV", "pdf", "text/csv", ""]), TEXT),
        schema=st.one_of(st.none(), TEXT),
        fields=st.lists(st.builds(Field, name=TEXT, title=TEXT, unit=TEXT), max_size=2).map(tuple),
    ),
    max_size=4,
).map(tuple)
TITLES = st.text(st.sampled_from("<>/!- aàbscript\n"), max_size=20).map("Titre {}".format)
RECORDS = st.builds(
    Record,
    portal=st.just("https://data.example.org/"),
    identifier=st.text(min_size=1, max_size=20),
    title=st.fixed_dictionaries({"fr": st.one_of(st.just("Titre"), TITLES)}),
    description=WORDS,
    page=st.one_of(st.none(), TEXT),
    markdown=st.booleans(),
    publisher=st.one_of(st.none(), st.builds(Party, name=TEXT, number=TEXT, url=TEXT)),
    contacts=st.lists(st.builds(Party, name=TEXT, email=st.one_of(TEXT, st.just("a@b.fr"))), max_size=2).map(tuple),
    themes=st.lists(TEXT, max_size=2).map(tuple),
    keywords=st.dictionaries(st.sampled_from(["", "fr", "xx"]), st.lists(TEXT, max_size=3).map(tuple), max_size=2),
    licences=st.lists(TEXT, max_size=2).map(tuple),
    licence_note=st.one_of(st.none(), TEXT),
    frequency=st.one_of(st.none(), TEXT),
    areas=st.lists(st.builds(Area, name=TEXT, shape=TEXT, codes=st.lists(TEXT, max_size=1).map(tuple)), max_size=1).map(
        tuple
    ),
    start=st.one_of(st.none(), TEXT, st.just("2024")),
    end=st.one_of(st.none(), TEXT, st.just("2020")),
    issued=st.one_of(st.none(), TEXT, st.just("2024-01-01")),
    modified=st.one_of(st.none(), TEXT),
    hvd=st.lists(TEXT, max_size=1).map(tuple),
    basis=st.lists(st.tuples(TEXT, st.one_of(st.none(), TEXT)), max_size=1).map(tuple),
    provenance=WORDS,
    links=LINKS,
)


@settings(max_examples=150)
@given(RECORDS)
def test_whatever_a_portal_says_the_draft_lacks_things_but_is_not_wrong(record):
    draft = draft_of(record)
    wrong = []
    try:
        Dataset.model_validate(draft.values)
    except ValidationError as error:
        wrong = error.errors()
    assert [(one["type"], one["loc"]) for one in wrong] == [("missing", (key,)) for key in draft.missing]
    assert draft == draft_of(record)
    assert values_of(descriptor_yaml(draft), "draft") == draft.values


PLAIN = st.one_of(
    TEXT,
    st.sampled_from(
        ["01001", "NO", "yes", "2024-01-15", "1e3", "~", "null", "a: b", "# x", "- x", "'", '"', "|", "x\ny", " x"]
    ),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
)
KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(str.isprintable)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


@settings(max_examples=150)
@given(
    st.dictionaries(st.sampled_from([*NEEDED, "provenance", "licence_note", "autre"]), VALUES, min_size=1, max_size=4)
)
def test_the_yaml_of_any_values_says_them_again(values):
    draft = Draft(slug="x", values=values, notes=(Note(("title",), "guessed", "de\nlà # {"), Note((), "told", "ceci")))
    assert values_of(descriptor_yaml(draft), "draft") == values
