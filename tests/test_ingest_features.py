"""OGC API Features: all features of a collection, by the links of the service, from a real MapServer."""

from __future__ import annotations

import json

import pytest
from fixtures_api import GEOPACKAGE, POINTS, SETTINGS, SHAPEFILE

from catalog.sources import FeaturesSource
from ingest.sources.features import fetch_features
from policies.errors import SourceError


def fetched(landing: str, tmp_path, collection: str = "communes", **source) -> str:
    one = fetch_features(FeaturesSource(features=landing, collection=collection, **source), tmp_path, SETTINGS)
    assert one.format == "geojson"
    return one.parts[0].path.read_text()


def test_features_come_from_the_landing_page_on_and_page_by_page(mapserver, tmp_path):
    mapserver.configure(data=SHAPEFILE)
    text = fetched(mapserver.landing, tmp_path, size=2)
    found = {one["properties"]["code"]: one for one in json.loads(text)["features"]}
    assert list(found) == [code for code, *_ in POINTS]
    assert found["76540"]["geometry"]["coordinates"] == pytest.approx((0.3709, 49.1829), abs=1e-5)
    pages = [one for one in mapserver.api.asked if one.path.endswith("/items")]
    assert len(pages) == 3


def test_a_collection_that_is_not_there_is_named_with_the_nearest(mapserver, tmp_path):
    with pytest.raises(SourceError, match="no collection 'commune'; did you mean 'communes'"):
        fetched(mapserver.landing, tmp_path, "commune")


def test_pages_that_are_all_the_same_are_an_error(mapserver, tmp_path):
    mapserver.configure(data=GEOPACKAGE)  # MapServer 8.0 forgets `offset` for such layers
    with pytest.raises(SourceError, match="pages 1 and 2 are the same, 3 times; say a larger size"):
        fetched(mapserver.landing, tmp_path, size=2)
    assert len(json.loads(fetched(mapserver.landing, tmp_path))["features"]) == 5


@pytest.mark.parametrize("links", [5, True, {"rel": "items"}, ["x"], [{"rel": "items"}]])
def test_links_that_are_none_are_an_error_with_the_collections_name(api, tmp_path, links):
    api.answer = lambda _: {"links": links, "collections": [{"id": "communes", "links": links}]}
    with pytest.raises(SourceError, match="the collection 'communes' has no items"):
        fetched(api.url, tmp_path)
