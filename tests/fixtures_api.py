"""The fixture `api`: a web server on loopback that answers what a test says; and `mapserver`, a real WFS behind it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pyogrio.raw
import pytest
import shapely

from ingest.settings import IngestSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SETTINGS = IngestSettings(allow_hosts=("127.0.0.1",))


@dataclass(frozen=True)
class Asked:
    """What a client asked for: the path, the query's parameters (the last of each name), and the headers."""

    path: str
    query: str
    parameters: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Said:
    """What the server says; `body` that is no bytes is said as JSON."""

    body: object
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body, ensure_ascii=False).encode()


@dataclass
class Api:
    """The server: `answer` says what to each request, and `asked` is what it was asked."""

    url: str
    answer: Callable[[Asked], Said | object] = lambda _: Said({}, 404)
    asked: list[Asked] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        at = urlsplit(self.path)
        parameters = {name: values[-1] for name, values in parse_qs(at.query, keep_blank_values=True).items()}
        asked = Asked(at.path, at.query, parameters, dict(self.headers))
        api: Api = self.server.api  # type: ignore[attr-defined]
        api.asked.append(asked)
        said = api.answer(asked)
        said = said if isinstance(said, Said) else Said(said)
        with contextlib.suppress(OSError):  # the client may have had enough
            self.send_response(said.status)
            for name, value in {"Content-Length": str(len(said.bytes)), **said.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.bytes)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving() -> Iterator[Api]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.api = api = Api(f"http://127.0.0.1:{server.server_address[1]}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield api
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as made:
        yield made


POINTS = [
    ("01001", "L'Abergement & <Clémenciat>", 1, 1.1, (562122.361, 6928745.209)),
    ("76540", "Rouen", 2, 0.1, (508336.756, 6901319.821)),
    ("14118", "Caen", 3, 3.0, (454411.25, 6903161.5)),
    ("76351", "Le Havre", 4, 1e-7, (490281.125, 6936467.75)),
    ("27229", "Évreux", 9007199254740993, 1 / 3, (564780.472, 6882050.121)),
]
"""Code, name, a whole number, a fraction, and the place in Lambert 93."""
_MAP = """
MAP
  NAME "essai"
  EXTENT 0 6000000 1300000 7200000
  PROJECTION "init=epsg:2154" END
  OUTPUTFORMAT
    NAME "geojson" DRIVER "OGR/GEOJSON" MIMETYPE "application/json; subtype=geojson"
    FORMATOPTION "STORAGE=stream" FORMATOPTION "FORM=SIMPLE"
  END
  WEB METADATA
    "ows_onlineresource" "{url}/?" "oga_onlineresource" "{url}/essai/ogcapi" "ows_srs" "{srs}"
    "ows_enable_request" "*" "oga_enable_request" "*" "ows_title" "Essai"
  END END
  LAYER
    NAME "communes" TYPE POINT STATUS ON TEMPLATE "x"
    {data}
    PROJECTION "init=epsg:2154" END
    METADATA
      "ows_title" "Communes" "gml_include_items" "all" "gml_featureid" "code" "gml_types" "auto"
      "wfs_getfeature_formatlist" "{formats}"
    END
  END
END
"""


GEOPACKAGE = 'CONNECTIONTYPE OGR CONNECTION "points.gpkg" DATA "points"'
SHAPEFILE = 'DATA "points.shp" ENCODING "UTF-8"'


@dataclass
class MapServer:
    """A MapServer with one layer, `communes`: a WFS at `url`, and an OGC API Features service at `landing`.

    `configure` says what systems and output formats the WFS offers, and how MapServer reads the layer.
    """

    api: Api
    folder: Path

    @property
    def url(self) -> str:
        return f"{self.api.url}/?map=essai"

    @property
    def landing(self) -> str:
        return f"{self.api.url}/essai/ogcapi"

    def configure(self, srs: str = "EPSG:2154 EPSG:4326", formats: str = "geojson,gml", data: str = GEOPACKAGE) -> None:
        text = _MAP.format(url=self.api.url, srs=srs, formats=formats, data=data)
        (self.folder / "essai.map").write_text(text)

    def run(self, asked: Asked) -> Said:
        """One request to MapServer, which is a CGI program."""
        environment = {
            "PATH": os.environ["PATH"],
            "MAPSERVER_CONFIG_FILE": str(self.folder / "mapserver.conf"),
            "REQUEST_METHOD": "GET",
            "QUERY_STRING": asked.query,
            "PATH_INFO": asked.path if asked.path != "/" else "",
            "HTTP_ACCEPT": asked.headers.get("Accept", ""),
        }
        done = subprocess.run(["mapserv"], env=environment, cwd=self.folder, capture_output=True, check=True)
        head, _, body = done.stdout.replace(b"\r\n\r\n", b"\n\n", 1).partition(b"\n\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        return Said(body, int(headers.pop("Status", "200").split()[0]), headers)


@pytest.fixture
def mapserver(api: Api, tmp_path: Path) -> MapServer:
    """MapServer itself, run for each request as a web server would; or a skip that says how to have it."""
    if shutil.which("mapserv") is None:
        pytest.skip("MapServer is not installed: apt-get install cgi-mapserver")
    folder = tmp_path / "mapserver"
    folder.mkdir()
    (folder / "mapserver.conf").write_text(f'CONFIG\nENV\nEND\nMAPS\nessai "{folder}/essai.map"\nEND\nEND\n')
    codes, names, wholes, fractions, places = zip(*POINTS, strict=True)
    for name, driver in (("points.gpkg", "GPKG"), ("points.shp", "ESRI Shapefile")):
        pyogrio.raw.write(
            folder / name,
            np.array([shapely.Point(place).wkb for place in places], dtype=object),
            [np.array(codes, object), np.array(names, object), np.array(wholes), np.array(fractions)],
            ["code", "nom", "nombre", "taux"],
            driver=driver,
            encoding="UTF-8",
            geometry_type="Point",
            crs="EPSG:2154",
        )
    made = MapServer(api, folder)
    made.configure()
    api.answer = made.run
    return made
