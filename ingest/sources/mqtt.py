"""The messages that come on a topic in a window of time, as NDJSON.

A message is a record: what its JSON object says, or its text as `payload` (in hex if it is none: `mqtt_encoding`), and
`mqtt_topic`, `mqtt_received` (UTC), `mqtt_qos` and `mqtt_retained`. An object is not written anew, so its numbers stay
as they are; one that has such a name itself, or the same name twice, is kept as text.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from ingest.sources import Fetched, fetched_file
from ingest.sources.secret import secret
from ingest.sources.way import ended_after, reached, said, too_much
from policies.errors import SourceError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path
    from typing import TextIO

    from paho.mqtt.reasoncodes import ReasonCode

    from catalog.sources import MqttSource
    from ingest.settings import IngestSettings

_KEEPALIVE = 30  # seconds
_NAMES = frozenset({"mqtt_topic", "mqtt_received", "mqtt_qos", "mqtt_retained", "mqtt_encoding"})
_BLANK = " \t\r\n"
_ONE_LINE = str.maketrans("\r\n", "  ")


def fetch_mqtt(source: MqttSource, cache: Path, settings: IngestSettings) -> Fetched:
    """Listen for `seconds`, or until as many `messages` are there, and keep them in `cache`.

    Raises SourceError: no connection, user refused, topic refused, connection lost within the window, more than
    `max_bytes`, or no message.
    """
    place = f"mqtt://{source.mqtt}:{source.port}/{source.topic}"
    part, whole = cache / "messages.part", cache / "messages.ndjson"
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            count = _Listener(source, place, settings, file).heard()
        if count == 0:
            raise SourceError(f"{place}: no message came in {source.seconds:g} s; check the topic, or listen longer")
        part.replace(whole)
        return fetched_file(whole, "messages.ndjson", place, "ndjson")
    except OSError as error:
        raise SourceError(f"{place}: cannot be kept in {cache}: {error}") from None


class _Client(paho.Client):
    """A client that goes where `reach` says, and nowhere else."""

    reach: Callable[[], socket.socket]

    def _create_socket(self) -> socket.socket:
        return self.reach()


class _Listener:
    """Takes messages down."""

    def __init__(self, source: MqttSource, place: str, settings: IngestSettings, file: TextIO) -> None:
        self._source, self._place, self._settings, self._file = source, place, settings, file
        self._count = self._size = 0
        self._accepted = False
        self._error: str | None = None

    def heard(self) -> int:
        """How many messages came in the window, which opens when the server has accepted the subscription."""
        source = self._source
        client = _Client(CallbackAPIVersion.VERSION2)
        client.reach = self._reached
        if source.user is not None:
            client.username_pw_set(source.user, None if source.password is None else secret(source.password))
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        limit = time.monotonic() + self._settings.timeout
        try:
            client.connect(source.mqtt, source.port, _KEEPALIVE)
            self._run(client, limit, lambda: self._accepted)
            if not self._accepted:
                raise SourceError(f"{self._place}: not connected in time; raise timeout in [ingest] of datalab.toml")
            self._run(client, time.monotonic() + source.seconds, lambda: self._count >= source.messages)
        except (OSError, ValueError) as error:
            raise SourceError(f"{self._place}: {said(error)}; check host, port, tls and topic") from None
        finally:
            client.on_disconnect = None
            client.disconnect()
        return self._count

    def _reached(self) -> socket.socket:
        """A connection to a checked address; over TLS the server's certificate must be for `mqtt`."""
        source, settings = self._source, self._settings
        way = reached(source.mqtt, source.port, settings, self._place)
        if not source.tls:
            return way
        with ended_after(settings.timeout, way.fileno(), self._place):
            return httpx.create_ssl_context().wrap_socket(way, server_hostname=source.mqtt)

    def _run(self, client: _Client, limit: float, is_over: Callable[[], bool]) -> None:
        """Serve the connection until then, or until it is over."""
        while not is_over() and (left := limit - time.monotonic()) > 0:
            code = client.loop(min(left, 1))
            if self._error is not None:
                raise SourceError(f"{self._place}: {self._error}")
            if code != paho.MQTT_ERR_SUCCESS:
                raise SourceError(f"{self._place}: the connection was lost: {paho.error_string(code)}; try again")

    def _on_connect(
        self, client: paho.Client, _data: object, _flags: paho.ConnectFlags, code: ReasonCode, _properties: object
    ) -> None:
        if code.is_failure:
            self._error = f"the server refuses the connection: {code}; check user and password"
            return
        client.subscribe(self._source.topic, qos=1)

    def _on_subscribe(
        self, _client: paho.Client, _data: object, _mid: int, codes: list[ReasonCode], _properties: object
    ) -> None:
        if any(code.is_failure for code in codes):
            self._error = "the server does not let this user listen to the topic; check topic and user"
        self._accepted = True

    def _on_disconnect(
        self, _client: paho.Client, _data: object, _flags: object, code: ReasonCode, _properties: object
    ) -> None:
        self._error = self._error or f"the connection was lost: {code}; try again"

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        line = record(message, dt.datetime.now(dt.UTC))
        self._size += len(line.encode()) + 1
        if self._size > self._settings.max_bytes:
            raise too_much(self._place, self._settings)
        self._file.write(f"{line}\n")
        self._count += 1


def record(message: paho.MQTTMessage, received: dt.datetime) -> str:
    """The line of NDJSON that a message is."""
    head: dict[str, Any] = {
        "mqtt_topic": message.topic,
        "mqtt_received": received.isoformat(timespec="microseconds"),
        "mqtt_qos": message.qos,
        "mqtt_retained": message.retain,
    }
    try:
        text = message.payload.decode()
    except UnicodeDecodeError:
        return json.dumps({**head, "mqtt_encoding": "hex", "payload": message.payload.hex()}, ensure_ascii=False)
    fields = _fields(text)
    if fields is None:
        return json.dumps({**head, "payload": text}, ensure_ascii=False)
    # A line end within JSON is white space between its parts
    said = text.strip(_BLANK).translate(_ONE_LINE)
    return f"{json.dumps(head, ensure_ascii=False)[:-1]}{', ' if fields else ''}{said[1:]}"


def _fields(text: str) -> set[str] | None:
    """The names of a JSON object that can be taken as it is; None if it is no such thing."""
    try:
        names = json.loads(text, object_pairs_hook=_names, parse_constant=_refused)
    except (ValueError, RecursionError):
        return None
    return names if isinstance(names, set) and not names & _NAMES else None


def _names(pairs: list[tuple[str, Any]]) -> set[str]:
    """The names of an object; of two that are the same, a reader would keep one."""
    names = {name for name, _ in pairs}
    if len(names) != len(pairs):
        raise ValueError
    return names


def _refused(_constant: str) -> None:
    raise ValueError  # NaN and Infinity are no JSON
