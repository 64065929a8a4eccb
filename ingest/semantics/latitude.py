"""A latitude in degrees."""

from __future__ import annotations

from ingest.semantics.semantic import Semantic

SMALL = "[0-9]([.,][0-9]+)?[eE]-[0-9]{1,3}"
"""How machines write a number near 0: `9.5e-05`. At Greenwich, and so in Normandy, longitudes are such."""
_FRACTION = "([.,][0-9]+)?"

LATITUDE = Semantic(
    word="latitude",
    said="a latitude in degrees",
    title="Latitude in degrees with decimals, -90 to 90, with a point or a comma. Stored as a float.",
    pattern=f"-?(90([.,]0+)?|[1-8][0-9]{_FRACTION}|[0-9]{_FRACTION}|{SMALL})",
    names=frozenset({"lat", "latitude", "latitudes", "ylat", "ylatitude", "y wgs", "y gps", "y coord dd"}),
    base="float",
    examples=("49.4938", "48,856614", "-21.1151", "0", "90.0", "9.5e-05"),
    counterexamples=("90.1", "91", "149.4", "6938123.5", "49.", "+49.4", "049.4", "49°29'", "49.4 N", ""),
)
