from __future__ import annotations

import contextlib
import datetime as dt
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import paho.mqtt.client as paho
import pytest
from fixtures_servers import PASSWORD
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import ValidationError

from catalog.sources import MqttSource
from ingest.run import ingest
from ingest.settings import IngestSettings
from ingest.sources.mqtt import fetch_mqtt, record
from policies.errors import SourceError
from policies.model import RAW

ALLOWED = IngestSettings(allow_hosts=("localhost", "127.0.0.1"))
NOON = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)


@pytest.fixture
def publish(mosquitto):
    """Publish messages that the server keeps until the test is over, so that who comes later has them."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set("lecteur", PASSWORD)
    client.connect("127.0.0.1", mosquitto[0].port)
    client.loop_start()
    topics = set()

    def publish(topic: str, payload: bytes | str, *, retain: bool = True) -> None:
        topics.add(topic)
        client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(30)

    yield publish
    for topic in topics:
        client.publish(topic, b"", qos=1, retain=True).wait_for_publish(30)
    client.disconnect()
    client.loop_stop()


@pytest.fixture
def listen(mosquitto, tmp_path, monkeypatch):
    monkeypatch.setenv("MQTT_PASSWORD", PASSWORD)

    def fetch(topic: str = "region/#", bounds: IngestSettings = ALLOWED, **changes: object):
        usual = {
            "mqtt": "localhost",
            "port": mosquitto[0].port,
            "topic": topic,
            "seconds": 60,
            "messages": 1,
            "user": "lecteur",
            "password": "MQTT_PASSWORD",
            "tls": False,
        }
        return fetch_mqtt(MqttSource(**{**usual, **changes}), tmp_path, bounds)

    return fetch


def records(fetched):
    return [json.loads(line) for line in fetched.parts[0].path.read_text().splitlines()]


def refused(listen, *given, **changes):
    with pytest.raises(SourceError) as error:
        listen(*given, **changes)
    assert PASSWORD not in str(error.value)
    return str(error.value)


def said(payload: bytes) -> dict:
    """The record of a message, without what every message has."""
    message = paho.MQTTMessage(topic=b"region/t")
    message.payload = payload
    line = record(message, NOON)
    assert "\n" not in line
    assert "\r" not in line
    fields = json.loads(line)
    head = {key: fields.pop(key) for key in ("mqtt_topic", "mqtt_received", "mqtt_qos", "mqtt_retained")}
    assert head == {
        "mqtt_topic": "region/t",
        "mqtt_received": "2026-11-24T12:00:00.000000+00:00",
        "mqtt_qos": 0,
        "mqtt_retained": False,
    }
    return fields


def test_each_message_is_a_record_with_its_topic_and_time(publish, listen):
    publish("region/eau/1", '{"niveau": 1.10}')
    publish("region/eau/2", "hors service")
    publish("region/air/1", "autre")
    start = dt.datetime.now(dt.UTC)
    fetched = listen("region/eau/+", messages=2)
    assert fetched.format == "ndjson"
    assert fetched.place.endswith("/region/eau/+")
    first, second = sorted(records(fetched), key=lambda one: one["mqtt_topic"])
    assert start <= dt.datetime.fromisoformat(first.pop("mqtt_received")) <= dt.datetime.now(dt.UTC)
    assert first == {"mqtt_topic": "region/eau/1", "mqtt_qos": 1, "mqtt_retained": True, "niveau": 1.10}
    assert second["payload"] == "hors service"


def test_messages_that_come_within_the_window_are_heard(publish, listen):
    over = threading.Event()

    def go_on() -> None:
        number = 0
        while not over.wait(0.01):
            number += 1
            publish("region/flux", f'{{"n": {number}}}', retain=False)

    with ThreadPoolExecutor(1) as threads:
        threads.submit(go_on)
        heard = records(listen("region/flux", messages=5))
        over.set()
    numbers = [one["n"] for one in heard]
    assert numbers == list(range(numbers[0], numbers[0] + 5))
    assert not heard[0]["mqtt_retained"]


def test_a_window_that_ends_by_time_keeps_what_came(publish, listen):
    publish("region/eau/1", "1")
    assert len(records(listen(seconds=0.3, messages=10))) == 1


def test_no_message_is_an_error_that_says_so_and_what_was_there_stays(publish, listen, tmp_path):
    publish("region/eau/1", "1")
    before = listen().parts[0].path.read_bytes()
    assert "no message came in 0.2 s" in refused(listen, "region/rien", seconds=0.2)
    assert (tmp_path / "messages.ndjson").read_bytes() == before


def test_an_object_is_taken_as_it_is_written():
    message = paho.MQTTMessage(topic=b"t")
    message.payload = b' {"a": 1.10,\r\n "b": 1e400, "c": 12345678901234567890123}\n'
    line = record(message, NOON)
    assert line.endswith('"mqtt_retained": false, "a": 1.10,   "b": 1e400, "c": 12345678901234567890123}')


@pytest.mark.parametrize(
    ("payload", "fields"),
    [
        (b"{}", {}),
        ('{"é": {"a": [1, null]}}'.encode(), {"é": {"a": [1, None]}}),
        (b'{"payload": "a\\nb"}', {"payload": "a\nb"}),
        (b"12.50", {"payload": "12.50"}),
        (b"", {"payload": ""}),
        (b"[1, 2]", {"payload": "[1, 2]"}),
        (b"ligne 1\nligne 2", {"payload": "ligne 1\nligne 2"}),
        (b'{"a": 1, "a": 2}', {"payload": '{"a": 1, "a": 2}'}),
        (b'{"a": {"b": 1, "b": 2}}', {"payload": '{"a": {"b": 1, "b": 2}}'}),
        (b'{"mqtt_topic": "faux"}', {"payload": '{"mqtt_topic": "faux"}'}),
        (b'{"a": {"mqtt_topic": "vrai"}}', {"a": {"mqtt_topic": "vrai"}}),
        (b'{"a": NaN}', {"payload": '{"a": NaN}'}),
        (b'{"a": 1', {"payload": '{"a": 1'}),
        (b"\xff\x00\x01", {"mqtt_encoding": "hex", "payload": "ff0001"}),
        (b'{"a": "\xe9"}', {"mqtt_encoding": "hex", "payload": b'{"a": "\xe9"}'.hex()}),
        (b'{"a":' * 100_000, {"payload": '{"a":' * 100_000}),
    ],
)
def test_what_is_no_plain_object_is_kept_as_text(payload, fields):
    assert said(payload) == fields


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"password": "MQTT_WRONG"}, "Not authorized"),
        ({"user": None}, "Not authorized"),
        ({"password": "MQTT_NOT_SET"}, "MQTT_NOT_SET"),
        ({"topic": "region/#/a"}, "topic"),
    ],
)
def test_who_may_not_listen_is_told_why(listen, monkeypatch, changes, told):
    monkeypatch.setenv("MQTT_WRONG", f"not {PASSWORD}")
    assert told in refused(listen, **changes)


def test_a_server_that_is_down_inner_or_silent_is_refused(listen):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        bounds = IngestSettings(allow_hosts=("localhost",), timeout=0.3)
        assert "not connected in time" in refused(listen, port=port, bounds=bounds)
    assert "Connection refused" in refused(listen, port=port)
    assert "allow_hosts" in refused(listen, bounds=IngestSettings())


def test_a_connection_lost_within_the_window_is_an_error(listen):
    def break_off(server: socket.socket) -> None:
        with server.accept()[0] as client, contextlib.suppress(OSError):
            client.recv(1024)
            client.sendall(b"\x20\x02\0\0")  # connected
            client.recv(1024)
            client.sendall(b"\x90\x03\0\x01\x01")  # subscribed

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as threads:
        server.settimeout(30)
        threads.submit(break_off, server)
        assert "connection was lost" in refused(listen, port=server.getsockname()[1])


def test_tls_is_for_the_name_and_from_an_authority_that_is_trusted(publish, listen, mosquitto, monkeypatch):
    secured = mosquitto[1]
    publish("region/eau/1", "1")
    assert "certificate verify failed" in refused(listen, port=secured.port, tls=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(secured.authority))
    assert len(records(listen(port=secured.port, tls=True))) == 1
    assert "not valid for '127.0.0.1'" in refused(listen, port=secured.port, tls=True, mqtt="127.0.0.1")


def test_a_password_goes_in_clear_only_where_the_steward_says_so():
    with pytest.raises(ValidationError, match="say tls: true, or tls: false"):
        MqttSource.model_validate({"mqtt": "broker", "topic": "t", "seconds": 1, "password": "MQTT_PASSWORD"})


def test_max_bytes_are_counted_as_they_are_written(publish, listen):
    publish("region/eau/1", "é" * 700)
    assert "max_bytes" in refused(listen, bounds=IngestSettings(allow_hosts=("localhost",), max_bytes=1400))


def test_more_than_max_bytes_is_refused(publish, listen):
    publish("region/eau/1", "x" * 1000)
    bounds = IngestSettings(allow_hosts=("localhost",), max_bytes=1000)
    assert "max_bytes" in refused(listen, bounds=bounds)


def test_messages_are_ingested_as_rows(publish, listen, folder, mosquitto):
    folder.write("datalab.toml", '[ingest]\nallow_hosts = ["localhost"]\n[policies.users]\nsteward = ["stewards"]\n')
    source = {"mqtt": "localhost", "port": mosquitto[0].port, "topic": "region/eau/+", "seconds": 60, "messages": 2}
    folder.describe("jeu", {"t": {"source": {**source, "user": "lecteur", "password": "MQTT_PASSWORD", "tls": False}}})
    folder.grant("jeu", {}, {"to": "user:steward", "edition": RAW, "until": "2999-01-01"})
    publish("region/eau/1", '{"niveau": 1.10, "code": "01001"}')
    publish("region/eau/2", '{"niveau": 2.25, "code": "01002"}')
    (outcome,) = ingest(folder.lab, "jeu", lambda _: None)
    assert outcome.error is None
    rows = folder.rows(columns="mqtt_topic, code, niveau::VARCHAR")
    assert sorted(rows) == [("region/eau/1", "01001", "1.10"), ("region/eau/2", "01002", "2.25")]
