"""What a WFS says in XML: its layers, how many features there are, and features cut out of GML as they were written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from policies.errors import SourceError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_SINGLE = ("member", "featureMember")
_BESIDE = ("boundedBy", "description", "name", "metaDataProperty")
_GML_ID = re.compile(r"\{http://www\.opengis\.net/gml(/3\.2)?\}id")
_SHOWN = 500

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Layer:
    """One layer of a service: `crs` is its own system first, then the others; `box` is in degrees, west first."""

    name: str
    crs: tuple[str, ...]
    formats: tuple[str, ...]
    box: Box | None


@dataclass(frozen=True)
class Service:
    """A service's version and layers."""

    version: str
    layers: tuple[Layer, ...]


def xml_of(body: bytes, url: str) -> Element:
    """The root of an answer in XML. Raises SourceError if it is none, has a DTD, or is an exception of the service."""
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except (DefusedXmlException, ParseError, ValueError, LookupError) as error:
        raise SourceError(f"{url}: expected XML of a WFS: {error or type(error).__name__}; check the address") from None
    if _local(root) in {"ExceptionReport", "ServiceExceptionReport"}:
        said = " ".join(" ".join(root.itertext()).split())[:_SHOWN]
        raise SourceError(f"{url}: the service refuses: {said}")
    return root


def service_of(root: Element, url: str) -> Service:
    """What the answer to GetCapabilities says. Raises SourceError if it is none."""
    if _local(root) != "WFS_Capabilities":
        raise SourceError(f"{url}: expected the capabilities of a WFS, found <{_local(root)}>; check `wfs`")
    offered = tuple(
        _text(value)
        for operation in _all(root, "Operation")
        if operation.get("name") == "GetFeature"
        for parameter in _all(operation, "Parameter")
        if parameter.get("name") == "outputFormat"
        for value in _all(parameter, "Value")
    )
    return Service(root.get("version", ""), tuple(_layer(one, offered) for one in _all(root, "FeatureType")))


def _layer(element: Element, offered: tuple[str, ...]) -> Layer:
    names = ("DefaultCRS", "DefaultSRS", "OtherCRS", "OtherSRS")
    crs = [_text(one) for name in names for one in element if _local(one) == name]
    corners = [_text(one).split() for name in ("LowerCorner", "UpperCorner") for one in _all(element, name)]
    try:
        (west, south), (east, north) = ((float(x), float(y)) for x, y in corners)
        box: Box | None = (west, south, east, north)
    except ValueError:
        box = None
    own = tuple(_text(one) for one in _all(element, "Format"))
    name = next((_text(one) for one in element if _local(one) == "Name"), "")
    return Layer(name, tuple(one for one in crs if one), own or offered, box)


@dataclass(frozen=True)
class Members:
    """The features of one GML page: as they were written, their ids, and the start of the file that they need."""

    head: str
    tail: str
    features: list[str]
    ids: list[str] | None


def members_of(body: bytes, url: str) -> Members:
    """Cut the features out of an answer to GetFeature, each in a member of its own.

    Schema locations are left out, as no reader shall go there. Raises SourceError as `xml_of` does, if it is no feature
    collection, or not in UTF-8.
    """
    root = xml_of(body, url)
    if _local(root) != "FeatureCollection":
        raise SourceError(f"{url}: expected a collection of features, found <{_local(root)}>")
    for child in root:
        if _local(child) not in (*_SINGLE, "featureMembers", *_BESIDE):
            raise SourceError(f"{url}: found <{_local(child)}> in the collection; only its members are read")
    elements = [feature for child in root if _local(child) not in _BESIDE for feature in child]
    ids = [next((value for name, value in one.items() if _GML_ID.fullmatch(name)), None) for one in elements]
    cutter = _Cutter(body)
    try:
        features = [f"{before}{body[start:end].decode()}{after}" for before, start, end, after in cutter.found]
    except UnicodeDecodeError:
        raise SourceError(f"{url}: the GML is not in UTF-8, as it must be to be put together") from None
    if len(features) != len(elements):
        raise SourceError(f"{url}: a member of the collection holds not one feature")
    return Members(
        head=f'<?xml version="1.0" encoding="UTF-8"?>\n<{cutter.root}{cutter.spaces}>\n',
        tail=f"</{cutter.root}>\n",
        features=features,
        ids=None if None in ids else [str(one) for one in ids],
    )


class _Cutter:
    """Where the features of a collection start and end in its bytes, which are known to be XML without a DTD."""

    def __init__(self, body: bytes) -> None:
        self.root = self.spaces = ""
        self.found: list[tuple[str, int, int, str]] = []
        self._body = body
        self._depth = self._start = 0
        self._member = self._within = ""
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._opened
        self._parser.EndElementHandler = self._closed
        self._parser.Parse(body, True)  # noqa: FBT003  expat's own signature

    def _opened(self, name: str, attributes: dict[str, str]) -> None:
        if self._depth == 0:
            self.root, self.spaces = name, _spaces(attributes)
        elif self._depth == 1:
            single = name.removesuffix("s") if name.endswith("featureMembers") else name
            self._member, self._within = single, f"<{single}{_spaces(attributes)}>"
        elif self._depth == 2:  # noqa: PLR2004  a feature: collection, member, feature
            self._start = self._parser.CurrentByteIndex
        self._depth += 1

    def _closed(self, name: str) -> None:
        self._depth -= 1
        if self._depth == 2 and self._member.endswith(_SINGLE):  # noqa: PLR2004
            end = self._parser.CurrentByteIndex  # of `</name>` its start, of `<name/>` its end
            if self._body.startswith(f"</{name}".encode(), end):
                end = self._body.index(b">", end) + 1
            self.found.append((self._within, self._start, end, f"</{self._member}>"))


def _spaces(attributes: dict[str, str]) -> str:
    """The namespaces that an element declares, as it may declare them again."""
    return "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items() if name.startswith("xmlns"))


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _all(element: Element, name: str) -> list[Element]:
    return [one for one in element.iter() if _local(one) == name]


def _text(element: Element) -> str:
    return (element.text or "").strip()
