"""A longitude in degrees."""

from __future__ import annotations

from ingest.semantics.latitude import SMALL
from ingest.semantics.semantic import Semantic

_FRACTION = "([.,][0-9]+)?"

LONGITUDE = Semantic(
    word="longitude",
    said="a longitude in degrees",
    title="Longitude in degrees with decimals, -180 to 180, with a point or a comma. Stored as a float. A name of only "
    "`long` may be a length: declare it.",
    pattern=f"-?(180([.,]0+)?|1[0-7][0-9]{_FRACTION}|[1-9][0-9]{_FRACTION}|[0-9]{_FRACTION}|{SMALL})",
    names=frozenset(
        {"lng", "lon", "longitude", "longitudes", "xlong", "xlongitude", "x wgs", "x gps", "x coord dd", "long wgs"}
        | {"coord long", "geo long", "gps long"}
    ),
    base="float",
    examples=("0.1079", "-1,6777", "55.5364", "-180", "179.99", "-6.1e-05"),
    counterexamples=("180.5", "181", "-200.1", "492345.1", "0.", "00.1", "2°20'", "2.35 E", ""),
)
