from __future__ import annotations

import contextlib
import datetime as dt
import socket
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import psycopg
import pyarrow.parquet as pq
import pytest
from fixtures_servers import PASSWORD
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.sources import PostgresSource
from ingest.run import ingest
from ingest.settings import IngestSettings
from ingest.sources.postgresql import fetch_postgresql
from policies.errors import SourceError
from policies.model import RAW

ALLOWED = IngestSettings(allow_hosts=("localhost", "127.0.0.1"))


@pytest.fixture(autouse=True)
def _environment(monkeypatch, postgresql):
    monkeypatch.setenv("REGION_PASSWORD", PASSWORD)
    monkeypatch.setenv("SSL_CERT_FILE", str(postgresql.authority))


@pytest.fixture
def admin(postgresql):
    with psycopg.connect(host=str(postgresql.socket), port=postgresql.port, user="postgres", dbname="region") as one:
        one.autocommit = True
        yield one


@pytest.fixture
def ask(postgresql, tmp_path):
    """Fetch a query's answer; keyword arguments change how the database is reached."""

    def fetch(query: str, bounds: IngestSettings = ALLOWED, **changes: object):
        reached = {
            "host": "localhost",
            "port": postgresql.port,
            "database": "region",
            "user": "lecteur",
            "password": "REGION_PASSWORD",
            "tls": False,
            **changes,
        }
        return fetch_postgresql(PostgresSource(postgresql=reached, query=query), tmp_path, bounds)

    return fetch


def rows_of(fetched):
    return pq.read_table(fetched.parts[0].path).to_pylist()


def types_of(fetched):
    schema = pq.read_schema(fetched.parts[0].path)
    return {field.name: str(field.type) for field in schema}


def refused(ask, query, **changes):
    with pytest.raises(SourceError) as error:
        ask(query, **changes)
    assert PASSWORD not in str(error.value)
    return str(error.value)


def test_each_type_is_kept_as_the_server_has_it(ask):
    fetched = ask(
        """SELECT true AS b, 32767::int2 AS i2, 2147483647 AS i4, 9223372036854775807 AS i8, 12.50::numeric(6,2) AS n,
        0.1::float4 AS f4, 1e-300::float8 AS f8, 'été' AS t, date '0001-01-01' AS d, time '23:59:59.999999' AS h,
        timestamp '2024-02-29 12:00:00.000001' AS ts, timestamptz '2024-01-01 12:00:00+02' AS tz"""
    )
    assert fetched.format == "parquet"
    assert types_of(fetched) == {
        "b": "bool", "i2": "int16", "i4": "int32", "i8": "int64", "n": "decimal128(6, 2)", "f4": "float",
        "f8": "double", "t": "string", "d": "date32[day]", "h": "time64[us]", "ts": "timestamp[us]",
        "tz": "timestamp[us, tz=UTC]",
    }  # fmt: skip
    (row,) = rows_of(fetched)
    assert row["f4"] == pytest.approx(0.1, rel=1e-7)
    del row["f4"]
    assert row == {
        "b": True, "i2": 32767, "i4": 2147483647, "i8": 9223372036854775807, "n": Decimal("12.50"), "f8": 1e-300,
        "t": "été", "d": dt.date(1, 1, 1), "h": dt.time(23, 59, 59, 999999),
        "ts": dt.datetime.fromisoformat("2024-02-29 12:00:00.000001"), "tz": dt.datetime(2024, 1, 1, 10, tzinfo=dt.UTC),
    }  # fmt: skip


def test_what_has_no_type_of_its_own_is_the_text_that_the_server_writes(ask, admin):
    admin.execute("DROP TYPE IF EXISTS humeur; CREATE TYPE humeur AS ENUM ('gai', 'triste')")
    (row,) = rows_of(
        ask(
            """SELECT 12345678901234567890.000000000000000000000000000001::numeric AS n,
            '6F9619FF-8B86-D011-B42D-00C04FC964FF'::uuid AS u, '{"a": 1.10}'::jsonb AS j, '{"a":1,"a":2}'::json AS k,
            'triste'::humeur AS e, interval '1 year 2 days 3.5 seconds' AS i, '\\x00ff'::bytea AS b,
            ARRAY[1.10, NULL, 'NaN'] AS a,
            ARRAY[timestamptz '2024-01-01 12:00:00+02'] AS tz, ROW(1, 'x') AS r,
            'NaN'::float8 AS nan, '-Infinity'::float8 AS inf"""
        )
    )
    assert str(row.pop("nan")) == "nan"
    assert row == {
        "n": "12345678901234567890.000000000000000000000000000001",
        "u": "6f9619ff-8b86-d011-b42d-00c04fc964ff",
        "j": '{"a": 1.10}',
        "k": '{"a":1,"a":2}',
        "e": "triste",
        "i": "P1Y2DT3.5S",
        "b": "\\x00ff",
        "a": '[1.10,null,"NaN"]',
        "tz": '["2024-01-01T10:00:00+00:00"]',
        "r": '{"f1":1,"f2":"x"}',
        "inf": float("-inf"),
    }


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("date 'infinity'", "infinity"),
        ("timestamp '-infinity'", "-infinity"),
        ("date '0044-03-15 BC'", "0044-03-15 BC"),
        ("timestamptz '10000-01-01 00:00:00Z'", "10000-01-01"),
        ("'NaN'::numeric(5,2)", "NaN"),
        ("time '24:00:00'", "24:00:00"),
    ],
)
def test_a_value_that_the_lake_cannot_hold_is_an_error_that_names_the_column(ask, value, shown):
    message = refused(ask, f"SELECT 1 AS bon, {value} AS fin")
    assert "column 'fin'" in message
    assert shown in message


def test_null_and_the_empty_text_stay_apart_even_in_a_table_of_one_column(ask):
    fetched = ask("SELECT * FROM (VALUES ('a'), (NULL), (''), (E'\\\\N'), (E'\\\\.'), ('NULL')) AS v(t)")
    assert [row["t"] for row in rows_of(fetched)] == ["a", None, "", "\\N", "\\.", "NULL"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.none() | st.text(st.characters(exclude_characters="\0", codec="utf-8")), min_size=1))
def test_any_text_comes_out_as_it_went_in(ask, admin, texts):
    admin.execute("DROP TABLE IF EXISTS textes; CREATE TABLE textes (n int, t text, apres int)")
    admin.execute("GRANT SELECT ON textes TO lecteur")
    with admin.cursor() as cursor:
        cursor.executemany("INSERT INTO textes VALUES (%s, %s, 7)", list(enumerate(texts)))
    fetched = ask("SELECT n, t, apres FROM textes ORDER BY n")
    assert [(row["t"], row["apres"]) for row in rows_of(fetched)] == [(text, 7) for text in texts]


def test_many_rows_come_in_their_order_and_the_same_rows_give_the_same_bytes(ask):
    query = "SELECT n, repeat('x', 100) || n AS t FROM generate_series(1, 300000) AS n ORDER BY n;"
    first, second = ask(query), ask(query)
    assert first.sha256 == second.sha256
    numbers = pq.read_table(first.parts[0].path)["n"].to_pylist()
    assert numbers == list(range(1, 300001))


def test_an_answer_without_rows_keeps_its_columns(ask):
    assert types_of(ask("SELECT 1 AS a, 'x' AS b WHERE false")) == {"a": "int32", "b": "string"}


def test_names_are_kept_and_a_name_that_stands_twice_is_refused(ask):
    assert list(types_of(ask('SELECT 1 AS "Nom, été %s", 2'))) == ["Nom, été %s", "?column?"]
    assert "two columns of the query are called 'A'" in refused(ask, 'SELECT 1 AS a, 2 AS "A"')


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO cible VALUES (1) RETURNING n",
        "WITH w AS (DELETE FROM cible RETURNING n) SELECT * FROM w",
        "SELECT 1; DELETE FROM cible",
        "SELECT 1) q; COMMIT; DELETE FROM cible; SELECT * FROM (SELECT 1",
        "SELECT 1) q) TO STDOUT; COMMIT; DELETE FROM cible; COPY (SELECT * FROM (SELECT 1",
        "SELECT nextval('suite') AS n",
        "SELECT efface() AS n",
        "SELECT * FROM cible FOR UPDATE",
    ],
)
def test_a_query_that_writes_or_is_more_than_one_is_refused_and_nothing_is_written(ask, admin, query):
    admin.execute("DROP TABLE IF EXISTS cible; CREATE TABLE cible (n int); INSERT INTO cible VALUES (0)")
    admin.execute("DROP SEQUENCE IF EXISTS suite; CREATE SEQUENCE suite; GRANT ALL ON SEQUENCE suite TO lecteur")
    admin.execute("GRANT ALL ON cible TO lecteur")
    admin.execute("CREATE OR REPLACE FUNCTION efface() RETURNS int LANGUAGE sql AS 'DELETE FROM cible RETURNING n' ")
    refused(ask, query)
    assert admin.execute("SELECT count(*) FROM cible").fetchall() == [(1,)]
    assert admin.execute("SELECT is_called FROM suite").fetchall() == [(False,)]


def test_an_error_of_the_query_says_where_it_stands(ask):
    message = refused(ask, "SELECT 1 AS a,\n       inconnue\nFROM (SELECT 1) AS s")
    assert 'line 2, column 8: column "inconnue" does not exist' in message
    assert "division by zero" in refused(ask, "SELECT 1 / n AS a FROM generate_series(0, 1) AS n")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"database": "nulle_part"}, 'database "nulle_part" does not exist'),
        ({"database": "host=ailleurs dbname=region"}, "does not exist"),
        ({"user": "personne"}, "password authentication failed"),
        ({"password": None}, "no password supplied"),
        ({"password": "WRONG_PASSWORD"}, 'password authentication failed for user "lecteur"'),
        ({"password": "NOT_SET"}, "NOT_SET"),
    ],
)
def test_who_cannot_get_in_is_told_why_and_no_password_is_shown(ask, monkeypatch, tmp_path, changes, said):
    # The operator's own account is not the steward's
    passwords = tmp_path / "pgpass"
    passwords.touch(0o600)
    passwords.write_text(f"*:*:*:*:{PASSWORD}\n")
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    monkeypatch.setenv("WRONG_PASSWORD", f"not {PASSWORD}")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert said in refused(ask, "SELECT 1 AS a", **changes)


def test_a_server_that_is_down_is_named(ask):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    message = refused(ask, "SELECT 1 AS a", port=port)
    assert f"postgresql://localhost:{port}/region" in message
    assert "Connection refused" in message


def test_an_inner_address_is_refused_unless_it_is_allowed(ask):
    assert "allow_hosts" in refused(ask, "SELECT 1 AS a", bounds=IngestSettings())


def test_tls_is_for_the_name_and_from_an_authority_that_is_trusted(ask, monkeypatch):
    query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert rows_of(ask(query, tls=True)) == [{"ssl": True}]
    assert rows_of(ask(query, tls=False)) == [{"ssl": False}]
    assert "certificate" in refused(ask, query, tls=True, host="127.0.0.1")
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "certificate verify failed" in refused(ask, query, tls=True)


def test_a_slow_query_ends_in_time_and_says_so(ask):
    bounds = IngestSettings(allow_hosts=("localhost",), timeout=0.2)
    assert "not here in time" in refused(ask, "SELECT 1 AS a FROM pg_sleep(60)", bounds=bounds)


def test_a_server_that_falls_silent_is_left_in_time(ask):
    # It accepts, and then says nothing at all
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bounds = IngestSettings(allow_hosts=("localhost",), timeout=0.5)
        message = refused(ask, "SELECT 1 AS a", bounds=bounds, port=silent.getsockname()[1])
    assert "timeout" in message


def test_a_server_that_lets_us_in_and_then_says_nothing_is_left_in_time(ask):
    def answer(server: socket.socket) -> None:
        with server.accept()[0] as client:
            client.recv(4096)
            client.sendall(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I")  # authenticated, ready
            while client.recv(4096):
                pass

    bounds = IngestSettings(allow_hosts=("localhost",), timeout=0.5)
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as threads:
        server.settimeout(30)
        threads.submit(answer, server)
        message = refused(ask, "SELECT 1 AS a", bounds=bounds, port=server.getsockname()[1])
    assert "not here in time" in message


def test_a_server_that_asks_for_the_password_in_clear_does_not_get_it(ask):
    heard = []

    def answer(server: socket.socket) -> None:
        with server.accept()[0] as client, contextlib.suppress(OSError):
            client.recv(4096)
            client.sendall(b"R\0\0\0\x08\0\0\0\x03")  # AuthenticationCleartextPassword
            heard.append(client.recv(4096))

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as threads:
        server.settimeout(30)
        threads.submit(answer, server)
        message = refused(ask, "SELECT 1 AS a", port=server.getsockname()[1])
    assert "password" in message
    assert heard == [b""]


def test_more_than_max_bytes_is_refused_and_what_was_there_stays(ask, tmp_path):
    before = ask("SELECT 1 AS a")
    bounds = IngestSettings(allow_hosts=("localhost",), max_bytes=10_000)
    assert "max_bytes" in refused(ask, "SELECT repeat('x', 100) AS a FROM generate_series(1, 101)", bounds=bounds)
    assert ask("SELECT 1 AS a").sha256 == before.sha256
    assert [path.name for path in tmp_path.iterdir()] == ["answer.parquet"]


def test_a_query_s_answer_is_ingested_with_its_types_and_is_unchanged_the_second_time(folder, postgresql):
    folder.write("datalab.toml", '[ingest]\nallow_hosts = ["localhost"]\n[policies.users]\nsteward = ["stewards"]\n')
    reached = {"host": "localhost", "port": postgresql.port, "database": "region", "user": "lecteur"}
    query = """SELECT lpad(n::text, 5, '0') AS code, (n / 2.0)::numeric(6,2) AS prix, n % 2 = 0 AS pair,
        timestamptz '2026-01-01 00:00:00+01' AS depuis FROM generate_series(1, 3) AS n ORDER BY n"""
    folder.describe(
        "jeu", {"t": {"source": {"postgresql": {**reached, "password": "REGION_PASSWORD"}, "query": query}}}
    )
    folder.grant("jeu", {}, {"to": "user:steward", "edition": RAW, "until": "2999-01-01"})
    (outcome,) = ingest(folder.lab, "jeu", lambda _: None)
    assert outcome.error is None
    receipt = folder.lab.lake.current("jeu", RAW).resources["t"].receipt
    assert {column["name"]: column["type"] for column in receipt["columns"]} == {
        "code": "text", "prix": "decimal(6,2)", "pair": "boolean", "depuis": "timestamp",
    }  # fmt: skip
    assert receipt["source"] == f"postgresql://localhost:{postgresql.port}/region"
    assert (receipt["rows_in"], receipt["rows_out"]) == (3, 3)
    assert folder.rows(columns="code, prix, pair") == [
        ("00001", Decimal("0.50"), False),
        ("00002", Decimal("1.00"), True),
        ("00003", Decimal("1.50"), False),
    ]
    (again,) = ingest(folder.lab, "jeu", lambda _: None)
    assert again.status == "unchanged"
