"""WFS: all features of a layer, in coordinates whose system and order are known, from a real MapServer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pyogrio.raw
import pytest
import shapely
from fixtures_api import POINTS, SETTINGS, Api, Asked, MapServer, Said
from pyproj import Transformer

from catalog.sources import WfsSource
from ingest.run import ingest
from ingest.sources.wfs import fetch_wfs
from policies.errors import SourceError
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Callable

DEGREES = {"01001": (1.0993, 49.4432), "76540": (0.3709, 49.1829)}


def fetched(mapserver: MapServer, tmp_path, **source) -> tuple[str, str]:
    """The format and the text of what is fetched."""
    one = fetch_wfs(WfsSource(wfs=mapserver.url, layer="communes", **source), tmp_path, SETTINGS)
    assert one.bytes == one.parts[0].path.stat().st_size
    return one.format, one.parts[0].path.read_text()


def test_features_come_page_by_page_as_geojson_in_longitude_and_latitude(mapserver, tmp_path):
    form, text = fetched(mapserver, tmp_path, size=2)
    assert form == "geojson"
    content = json.loads(text)
    assert "crs" not in content
    found = {one["properties"]["code"]: one for one in content["features"]}
    assert list(found) == [code for code, *_ in POINTS]
    assert [one["properties"]["nom"] for one in found.values()] == [name for _, name, *_ in POINTS]
    for code, place in DEGREES.items():
        assert found[code]["geometry"]["coordinates"] == pytest.approx(place, abs=1e-6)
    assert '"nombre": 9007199254740993' in text
    starts = [one.parameters["startIndex"] for one in mapserver.api.asked if "startIndex" in one.parameters]
    assert starts == ["0", "2", "4"]


@pytest.mark.parametrize("version", ["2.0.0", "1.1.0"])
def test_where_degrees_are_not_offered_the_file_says_the_layers_own_system(mapserver, tmp_path, version):
    mapserver.configure(srs="EPSG:2154")
    speak(mapserver, version)
    form, text = fetched(mapserver, tmp_path)
    assert form == "geojson"
    content = json.loads(text)
    assert content["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::2154"
    assert content["features"][1]["geometry"]["coordinates"] == pytest.approx(POINTS[1][4])


@pytest.mark.parametrize("version", ["2.0.0", "1.1.0"])
@pytest.mark.parametrize("srs", ["EPSG:2154", "EPSG:4326", "EPSG:3035"])
def test_pages_of_gml_become_one_file_whose_places_are_the_same_whatever_the_axes(mapserver, tmp_path, version, srs):
    mapserver.configure(srs=srs, formats="gml")
    speak(mapserver, version)
    form, _ = fetched(mapserver, tmp_path, size=2)
    assert form == "gml"
    path = tmp_path / "features.gml"
    meta, _, geometry, values = pyogrio.raw.read(path)
    fields = dict(zip(meta["fields"], values, strict=True))
    assert list(fields["code"]) == [code for code, *_ in POINTS]
    assert list(fields["nom"]) == [name for _, name, *_ in POINTS]
    assert meta["crs"] == srs
    places = in_degrees(shapely.from_wkb(geometry), srs)
    assert places[0] == pytest.approx(DEGREES["01001"], abs=1e-5)
    assert places[1] == pytest.approx(DEGREES["76540"], abs=1e-5)


def in_degrees(points, srs: str) -> list[tuple[float, float]]:
    transformer = Transformer.from_crs(srs, "EPSG:4326", always_xy=True)
    return [transformer.transform(point.x, point.y) for point in points]


def speak(mapserver: MapServer, version: str) -> None:
    """Have the server answer as if it knew no other version."""

    def answer(asked: Asked) -> Said:
        query = asked.query.replace("acceptVersions=2.0.0%2C1.1.0", f"version={version}")
        return mapserver.run(Asked(asked.path, query, asked.parameters, asked.headers))

    mapserver.api.answer = answer


class GeoServer:
    """A service that answers as GeoServer does; `features` are those of its layer, `page` answers GetFeature."""

    def __init__(self, **changes: object) -> None:
        self.features = json.loads((PAGES / "geoserver-page.json").read_text())["features"]
        self.crs: object = "urn:ogc:def:crs:EPSG::4326"
        self.capabilities: bytes = (PAGES / "geoserver-capabilities.xml").read_bytes()
        self.matched: Callable[[], object] = lambda: len(self.features)
        self.refusal: bytes | None = None
        for name, value in changes.items():
            setattr(self, name, value)

    def __call__(self, asked: Asked) -> Said:
        if asked.parameters["request"] == "GetCapabilities":
            return Said(self.capabilities)
        if asked.parameters.get("resultType") == "hits":
            return Said(HITS % str(self.matched()).encode())
        if self.refusal is not None:
            return Said(self.refusal, 400)
        start, count = int(asked.parameters["startIndex"]), int(asked.parameters["count"])
        crs = {"type": "name", "properties": {"name": self.crs}} if self.crs else None
        content = {"type": "FeatureCollection", "features": self.features[start : start + count], "crs": crs}
        return Said(content)


PAGES = Path(__file__).parent / "pages"
HITS = b'<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0" numberMatched="%s" numberReturned="0"/>'
REFUSED = (
    b'<?xml version="1.0"?><ows:ExceptionReport xmlns:ows="http://www.opengis.net/ows/1.1" version="2.0.0">'
    b'<ows:Exception exceptionCode="NoApplicableCode"><ows:ExceptionText>Cannot do natural order without a primary key'
    b"</ows:ExceptionText></ows:Exception></ows:ExceptionReport>"
)


@pytest.fixture
def bring(api: Api, tmp_path):
    def run(layer: str = "region:gares", **source: object) -> dict:
        one = fetch_wfs(WfsSource(wfs=f"{api.url}/wfs", layer=layer, **source), tmp_path, SETTINGS)
        assert one.format == "geojson"
        return json.loads(one.parts[0].path.read_text())

    return run


def test_what_geoserver_gives_is_one_file_in_longitude_and_latitude(api, bring):
    api.answer = server = GeoServer()
    content = bring(size=2)
    assert content == {"type": "FeatureCollection", "features": server.features}
    pages = [one.parameters for one in api.asked if "startIndex" in one.parameters]
    assert [one["startIndex"] for one in pages] == ["0", "2"]
    assert pages[0]["typeNames"] == "region:gares"
    assert pages[0]["srsName"] == "urn:ogc:def:crs:EPSG::4326"
    assert pages[0]["outputFormat"] == "application/json"
    assert "sortBy" not in pages[0]
    bring("gares", sort="code")
    assert api.asked[-2].parameters["sortBy"] == "code"


def test_the_parameters_of_a_copied_address_are_replaced_and_others_kept(api, tmp_path):
    api.answer = GeoServer()
    url = f"{api.url}/wfs?SERVICE=WFS&REQUEST=GetCapabilities&VERSION=1.1.0&map=x"
    fetch_wfs(WfsSource(wfs=url, layer="region:gares"), tmp_path, SETTINGS)
    for asked in api.asked:
        assert asked.parameters["map"] == "x"
        assert sum(name.lower() == "request" for name in asked.parameters) == 1


def test_coordinates_with_the_northern_one_first_are_refused(api, bring):
    api.answer = server = GeoServer()
    for feature in server.features[:2]:
        feature["geometry"]["coordinates"].reverse()
    with pytest.raises(SourceError, match="the northern one first"):
        bring()


def test_coordinates_in_another_system_than_was_asked_for_are_refused(api, bring):
    api.answer = GeoServer(crs="urn:ogc:def:crs:EPSG::2154")
    with pytest.raises(
        SourceError, match="asked for coordinates in EPSG:4326, but they are in urn:ogc:def:crs:EPSG::2154"
    ):
        bring()


def test_the_layers_own_system_stands_in_the_file_even_if_the_answer_does_not_say_it(api, bring):
    api.answer = server = GeoServer(crs=None)
    server.features = [
        {**one, "geometry": {"type": "Point", "coordinates": [562122.3, 6928745.2]}} for one in server.features
    ]
    assert bring("region:quais")["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::2154"


def test_a_layer_that_changes_as_it_is_read_is_read_again(api, bring):
    api.answer = server = GeoServer()
    times = iter(range(99))

    def matched() -> int:
        if next(times) == 1:
            server.features = [*server.features, {**server.features[0], "id": "gares.4"}]
        return len(server.features)

    server.matched = matched
    assert len(bring(size=3)["features"]) == 4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"refusal": REFUSED}, "the service refuses: Cannot do natural order without a primary key"),
        ({"refusal": b"nothing"}, "the server answered 400"),
        ({"matched": lambda: 4}, "counts 4 records, and 3 came, 3 times; say sort"),
        ({"capabilities": b"<html/>"}, "expected the capabilities of a WFS, found <html>"),
        ({"capabilities": b"<html>"}, "expected XML of a WFS"),
        ({"capabilities": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}, "expected XML of a WFS"),
        ({"capabilities": b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'}, "expected XML of a WFS"),
        ({"capabilities": b'<WFS_Capabilities version="1.0.0"/>'}, "the service speaks WFS 1.0.0; expected 2.0 or 1.1"),
        ({"capabilities": b'<WFS_Capabilities version="2.0.0"/>'}, "no layer 'region:gares'; known: none"),
    ],
)
def test_what_a_service_answers_otherwise_is_an_error(api, bring, changes, said):
    api.answer = GeoServer(**changes)
    with pytest.raises(SourceError, match=said):
        bring()


def test_coordinates_that_are_none_are_left_to_the_reader(api, bring, bring_gml):
    api.answer = server = GeoServer()
    server.features[0]["geometry"]["coordinates"] = {"x": 1}
    assert len(bring()["features"]) == 3
    broken = feature(1, "urn:ogc:def:crs:EPSG::4326", "49.4.1 1.1")
    assert broken in bring_gml(gml(f"<gml:featureMember>{broken}</gml:featureMember>"))


def test_a_feature_that_comes_twice_is_an_error(api, bring):
    api.answer = server = GeoServer()
    server.features[2]["id"] = "gares.1"
    with pytest.raises(SourceError, match="the record 'gares.1' came twice, 3 times"):
        bring(size=2)


def test_a_layer_that_is_not_there_is_named_with_the_nearest(mapserver, tmp_path):
    with pytest.raises(SourceError, match="no layer 'commune'; did you mean 'ms:communes'"):
        fetch_wfs(WfsSource(wfs=mapserver.url, layer="commune"), tmp_path, SETTINGS)


def gml(members: str, root: str = "") -> bytes:
    return (
        '<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs" xmlns:gml="http://www.opengis.net/gml" '
        f'xmlns:a="urn:a" {root}>{members}</wfs:FeatureCollection>'
    ).encode()


def feature(number: int, srs: str = "EPSG:4326", place: str = "49.4 1.1") -> str:
    return (
        f'<a:x gml:id="x.{number}"><a:g><gml:Point srsName="{srs}"><gml:pos>{place}</gml:pos></gml:Point></a:g>'
        f"<a:n>{number}.10 &amp; <![CDATA[<é>]]></a:n></a:x>"
    )


@pytest.fixture
def bring_gml(api: Api, tmp_path):
    """The GML that is fetched of a service that gives no other, and answers GetFeature with `pages`."""

    def run(*pages: bytes, box: bool = True) -> str:
        said = (
            (PAGES / "geoserver-capabilities.xml").read_bytes().replace(b"<ows:Value>application/json</ows:Value>", b"")
        )
        said = said if box else re.sub(rb"<ows:WGS84BoundingBox>.*?</ows:WGS84BoundingBox>", b"", said)
        total = sum(page.count(b"</a:x>") for page in pages)

        def answer(asked: Asked) -> Said:
            if asked.parameters["request"] == "GetCapabilities":
                return Said(said)
            if asked.parameters.get("resultType") == "hits":
                return Said(HITS % str(total).encode())
            return Said(pages[int(asked.parameters["startIndex"]) // 2])

        api.answer = answer
        one = fetch_wfs(WfsSource(wfs=api.url, layer="region:gares", size=2), tmp_path, SETTINGS)
        assert one.format == "gml"
        return one.parts[0].path.read_text()

    return run


def test_features_of_gml_are_kept_as_they_were_written(bring_gml):
    one = "".join(
        f"<gml:featureMember>\n  {feature(n, 'urn:ogc:def:crs:EPSG::4326')}</gml:featureMember>" for n in (1, 2)
    )
    two = f"<gml:featureMembers>{feature(3, 'urn:ogc:def:crs:EPSG::4326')}</gml:featureMembers>"
    text = bring_gml(gml(one, 'timeStamp="now"'), gml(two, 'timeStamp="later"'))
    assert [text.count(feature(n, "urn:ogc:def:crs:EPSG::4326")) for n in (1, 2, 3)] == [1, 1, 1]
    assert text.count("<gml:featureMember>") == 3
    assert "timeStamp" not in text


def test_a_name_that_means_another_order_than_the_coordinates_have_is_set_right(bring_gml):
    member = "<gml:featureMember>{}</gml:featureMember>"
    text = bring_gml(gml(member.format(feature(1))))
    assert 'srsName="urn:ogc:def:crs:EPSG::4326"' in text
    text = bring_gml(gml(member.format(feature(1, "urn:ogc:def:crs:EPSG::4326", "1.1 49.4"))))
    assert 'srsName="EPSG:4326"' in text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (gml(f"<gml:featureMember>{feature(1)}</gml:featureMember>"), "does not tell which coordinate"),
        (gml(f"<gml:featureMember>{feature(1, 'EPSG:2154')}</gml:featureMember>"), "but they are in {'EPSG:2154'}"),
        (gml(f"<a:other>{feature(1)}</a:other>"), "found <other> in the collection"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]>' + gml(""), "expected XML of a WFS"),
        (b"<a/>", "expected a collection of features, found <a>"),
    ],
)
def test_gml_that_cannot_be_trusted_is_an_error(bring_gml, body, said):
    with pytest.raises(SourceError, match=re.escape(said)):
        bring_gml(body, box=False)


@pytest.mark.parametrize("formats", ["geojson,gml", "gml"])
def test_features_become_a_table_of_the_same_rows_whatever_the_format(mapserver, folder, formats):
    mapserver.configure(formats=formats)
    settings = folder.root / "datalab.toml"
    settings.write_text(settings.read_text() + '[ingest]\nallow_hosts = ["127.0.0.1"]\n')
    folder.describe("jeu", {"t": {"source": {"wfs": mapserver.url, "layer": "communes", "size": 2}}})
    folder.grant("jeu", {}, {"to": "user:steward", "edition": RAW, "until": "2999-01-01"})
    (outcome,) = ingest(folder.lab, "jeu", lambda _: None)
    assert (outcome.error, outcome.rows_in) == (None, 5)
    expected = [(code, name, number) for code, name, number, *_ in POINTS]
    assert folder.rows(columns="code, nom, nombre") == expected
