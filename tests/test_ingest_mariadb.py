from __future__ import annotations

import contextlib
import datetime as dt
import socket
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Event

import pyarrow.parquet as pq
import pymysql
import pytest
from fixtures_servers import PASSWORD
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.sources import MariadbSource
from ingest.settings import IngestSettings
from ingest.sources.mariadb import fetch_mariadb
from policies.errors import SourceError

ALLOWED = IngestSettings(allow_hosts=("localhost", "127.0.0.1"))


@pytest.fixture(autouse=True)
def _environment(monkeypatch, mariadb):
    monkeypatch.setenv("REGION_PASSWORD", PASSWORD)
    monkeypatch.setenv("SSL_CERT_FILE", str(mariadb.authority))


@pytest.fixture
def admin(mariadb):
    with (
        pymysql.connect(
            unix_socket=str(mariadb.socket), user="root", database="region", autocommit=True, charset="utf8mb4"
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SET sql_mode = ''")
        yield cursor


@pytest.fixture
def ask(mariadb, tmp_path):
    """Fetch a query's answer; keyword arguments change how the database is reached."""

    def fetch(query: str, bounds: IngestSettings = ALLOWED, **changes: object):
        reached = {
            "host": "localhost",
            "port": mariadb.port,
            "database": "region",
            "user": "lecteur",
            "password": "REGION_PASSWORD",
            "tls": False,
            **changes,
        }
        return fetch_mariadb(MariadbSource(mariadb=reached, query=query), tmp_path, bounds)

    return fetch


def rows_of(fetched):
    return pq.read_table(fetched.parts[0].path).to_pylist()


def types_of(fetched):
    return {field.name: str(field.type) for field in pq.read_schema(fetched.parts[0].path)}


def refused(ask, query, **changes):
    with pytest.raises(SourceError) as error:
        ask(query, **changes)
    assert PASSWORD not in str(error.value)
    return str(error.value)


def filled(admin, columns, *rows):
    admin.execute("DROP TABLE IF EXISTS essai")
    admin.execute(f"CREATE TABLE essai ({columns}) CHARACTER SET utf8mb4")
    for row in rows:
        admin.execute(f"INSERT INTO essai VALUES ({row})")


def test_each_type_is_kept_as_the_server_has_it(ask, admin):
    filled(
        admin,
        "b tinyint(1), i8 tinyint, u8 tinyint unsigned, i16 smallint, u16 smallint unsigned, u24 mediumint unsigned, "
        "i32 int, u32 int unsigned, i64 bigint, u64 bigint unsigned, n decimal(38,10), nu decimal(6,2) unsigned, "
        "d double, y year, bits bit(8), mask bit(64), jour date, h time(6), dt datetime(6), t varchar(10), "
        "e enum('gai','triste'), s set('a','b'), js json",
        "2, -128, 255, -32768, 65535, 16777215, -2147483648, 4294967295, -9223372036854775808, 18446744073709551615, "
        "-1234567890123456789012345678.0123456789, 9999.99, 0.1, 2026, b'101', b'1" + "0" * 63 + "', '0001-01-01', "
        "'23:59:59.999999', '9999-12-31 23:59:59.999999', '🚲é', 'triste', 'a,b', '{\"a\": 1.10}'",
    )
    fetched = ask("SELECT * FROM essai")
    assert fetched.format == "parquet"
    assert types_of(fetched) == {
        "b": "int8", "i8": "int8", "u8": "int16", "i16": "int16", "u16": "int32", "u24": "int32", "i32": "int32",
        "u32": "int64", "i64": "int64", "u64": "decimal128(20, 0)", "n": "decimal128(38, 10)",
        "nu": "decimal128(6, 2)", "d": "double", "y": "int16", "bits": "int64", "mask": "decimal128(20, 0)",
        "jour": "date32[day]", "h": "time64[us]", "dt": "timestamp[us]", "t": "string", "e": "string", "s": "string",
        "js": "string",
    }  # fmt: skip
    assert rows_of(fetched) == [
        {
            "b": 2, "i8": -128, "u8": 255, "i16": -32768, "u16": 65535, "u24": 16777215, "i32": -2147483648,
            "u32": 4294967295, "i64": -9223372036854775808, "u64": Decimal(18446744073709551615),
            "n": Decimal("-1234567890123456789012345678.0123456789"), "nu": Decimal("9999.99"), "d": 0.1, "y": 2026,
            "bits": 5, "mask": Decimal(2**63), "jour": dt.date(1, 1, 1), "h": dt.time(23, 59, 59, 999999),
            "dt": dt.datetime.fromisoformat("9999-12-31 23:59:59.999999"), "t": "🚲é", "e": "triste", "s": "a,b",
            "js": '{"a": 1.10}',
        }
    ]  # fmt: skip


def test_a_timestamp_is_in_utc_whatever_the_server_s_zone(ask, admin):
    filled(admin, "ts timestamp")
    admin.execute("SET time_zone = '+02:00'")
    admin.execute("INSERT INTO essai VALUES ('2026-07-01 12:00:00')")
    admin.execute("SET GLOBAL time_zone = '+05:00'")
    try:
        fetched = ask("SELECT ts FROM essai")
    finally:
        admin.execute("SET GLOBAL time_zone = SYSTEM")
    assert types_of(fetched) == {"ts": "timestamp[us, tz=UTC]"}
    assert rows_of(fetched) == [{"ts": dt.datetime(2026, 7, 1, 10, tzinfo=dt.UTC)}]


def test_what_is_binary_is_hex_and_a_wide_decimal_is_text(ask, admin):
    filled(admin, "b blob, f binary(3), n decimal(65,30), u uuid", "x'00ff', 'a', 1.5, uuid()")
    (row,) = rows_of(ask("SELECT b, f, n, point(1, 2) AS p FROM essai"))
    assert row == {
        "b": "\\x00ff",
        "f": "\\x610000",
        "n": "1.500000000000000000000000000000",
        "p": "\\x000000000101000000000000000000f03f0000000000000040",
    }
    (row,) = rows_of(ask("SELECT u, length(u) AS n FROM essai"))
    assert (len(row["u"]), row["u"].count("-")) == (36, 4)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("date", "0000-00-00"),
        ("date", "2026-02-00"),
        ("datetime", "0000-00-00 00:00:00"),
        ("timestamp", "0000-00-00 00:00:00"),
        ("time", "24:00:00"),
        ("time", "-01:00:00"),
        ("time", "838:59:59"),
    ],
)
def test_a_value_that_the_lake_cannot_hold_is_an_error_that_names_the_column(ask, admin, kind, value):
    filled(admin, f"bon int, fin {kind}", f"1, '{value}'")
    message = refused(ask, "SELECT * FROM essai")
    assert "column 'fin'" in message
    assert value in message
    assert rows_of(ask("SELECT CAST(fin AS CHAR) AS fin FROM essai")) == [{"fin": value}]


def test_a_float_of_which_the_server_writes_six_digits_is_refused(ask, admin):
    filled(admin, "f float", "16777215")
    message = refused(ask, "SELECT f FROM essai")
    assert "CAST(f AS DOUBLE)" in message
    assert rows_of(ask("SELECT CAST(f AS DOUBLE) AS f FROM essai")) == [{"f": 16777215.0}]


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_double_comes_out_as_it_went_in(ask, admin, values):
    filled(admin, "n int, d double")
    admin.executemany("INSERT INTO essai VALUES (%s, %s)", list(enumerate(values)))
    assert [row["d"] for row in rows_of(ask("SELECT d FROM essai ORDER BY n"))] == values


@given(texts=st.lists(st.none() | st.text(st.characters(codec="utf-8")), min_size=1))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_out_as_it_went_in(ask, admin, texts):
    filled(admin, "n int, t text")
    admin.executemany("INSERT INTO essai VALUES (%s, %s)", list(enumerate(texts)))
    assert [row["t"] for row in rows_of(ask("SELECT t FROM essai ORDER BY n"))] == texts


def test_many_rows_come_in_their_order_and_the_same_rows_give_the_same_bytes(ask):
    query = "SELECT seq, repeat('x', 100) AS t FROM seq_1_to_150000 ORDER BY seq;"
    first, second = ask(query), ask(query)
    assert first.sha256 == second.sha256
    assert pq.read_table(first.parts[0].path)["seq"].to_pylist() == [*map(Decimal, range(1, 150_001))]


def test_an_answer_without_rows_keeps_its_columns(ask):
    assert types_of(ask("SELECT 1 AS a, 'x' AS b FROM dual WHERE false")) == {"a": "int32", "b": "string"}


def test_a_name_that_stands_twice_is_refused(ask):
    assert "two columns of the query are called 'A'" in refused(ask, "SELECT 1 AS a, 2 AS A")


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM essai",
        "DELETE FROM essai RETURNING n",
        "DROP TABLE essai",
        "SELECT 1 AS a; DELETE FROM essai",
        "COMMIT",
        "CALL efface()",
        "SELECT n FROM essai FOR UPDATE",
        "SELECT efface_un() AS n",
    ],
)
def test_a_query_that_writes_or_is_more_than_one_is_refused_and_nothing_is_written(ask, admin, query):
    filled(admin, "n int", "1")
    admin.execute("CREATE OR REPLACE PROCEDURE efface() BEGIN SELECT 1 AS a; DELETE FROM essai; END")
    admin.execute(
        "CREATE OR REPLACE FUNCTION efface_un() RETURNS int MODIFIES SQL DATA BEGIN DELETE FROM essai; RETURN 1; END"
    )
    refused(ask, query)
    admin.execute("SELECT count(*) FROM essai")
    assert admin.fetchall() == ((1,),)


def test_an_error_of_the_query_is_the_server_s(ask):
    message = refused(ask, "SELECT 1 AS a,\nFROM dual")
    assert "near 'FROM dual' at line 2" in message
    assert "Unknown column 'inconnue'" in refused(ask, "SELECT inconnue FROM dual")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"database": "nulle_part"}, "nulle_part"),
        ({"user": "personne"}, "Access denied for user 'personne'"),
        ({"password": None}, "Access denied"),
        ({"password": "WRONG_PASSWORD"}, "Access denied for user 'lecteur'"),
        ({"password": "NOT_SET"}, "NOT_SET"),
    ],
)
def test_who_cannot_get_in_is_told_why_and_no_password_is_shown(ask, monkeypatch, changes, said):
    monkeypatch.setenv("WRONG_PASSWORD", f"not {PASSWORD} ’")
    assert said in refused(ask, "SELECT 1 AS a", **changes)


def test_a_server_that_is_down_is_named(ask):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    message = refused(ask, "SELECT 1 AS a", port=port)
    assert f"mariadb://localhost:{port}/region" in message
    assert "Connection refused" in message


def test_an_inner_address_is_refused_unless_it_is_allowed(ask):
    assert "allow_hosts" in refused(ask, "SELECT 1 AS a", bounds=IngestSettings())


def test_tls_is_for_the_name_and_from_an_authority_that_is_trusted(ask, monkeypatch):
    query = (
        "SELECT length(variable_value) > 0 AS tls FROM information_schema.session_status "
        "WHERE variable_name = 'Ssl_cipher'"
    )
    assert rows_of(ask(query, tls=True)) == [{"tls": 1}]
    assert rows_of(ask(query, tls=False)) == [{"tls": 0}]
    assert "not valid for '127.0.0.1'" in refused(ask, query, tls=True, host="127.0.0.1")
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    assert "certificate verify failed" in refused(ask, query, tls=True)


def test_a_slow_query_ends_in_time_and_says_so(ask):
    bounds = IngestSettings(allow_hosts=("localhost",), timeout=0.3)
    query = "SELECT sum(a.seq * b.seq) AS n FROM seq_1_to_1000000 AS a, seq_1_to_1000000 AS b"
    assert "not here in time" in refused(ask, query, bounds=bounds)


def test_a_server_that_sends_byte_by_byte_is_left_in_time(ask):
    def drip(server: socket.socket, over: Event) -> None:
        with server.accept()[0] as client, contextlib.suppress(OSError):
            client.sendall(b"\xff\xff\xff\0")  # a long greeting
            while not over.wait(0.05):
                client.sendall(b"x")

    over = Event()
    bounds = IngestSettings(allow_hosts=("localhost",), timeout=0.5)
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as threads:
        server.settimeout(30)
        threads.submit(drip, server, over)
        message = refused(ask, "SELECT 1 AS a", bounds=bounds, port=server.getsockname()[1])
        over.set()
    assert "not here in time" in message


def packet(number: int, content: bytes) -> bytes:
    return len(content).to_bytes(3, "little") + bytes([number]) + content


GREETING = b"\x0a5.5.5-10.11.6-MariaDB\0" + bytes(4) + b"saltsalt\0" + (0xA208).to_bytes(2, "little") + b"\x2d"
GREETING += b"\2\0" + (0x0008).to_bytes(2, "little") + b"\x15" + bytes(10) + b"saltsaltsalt\0mysql_native_password\0"


@pytest.fixture
def malicious():
    """A server that lets us greet it, and says these things after; its port, and what it heard."""
    with contextlib.ExitStack() as opened:

        def start(*says: bytes) -> tuple[int, list[bytes]]:
            server = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
            threads = opened.enter_context(ThreadPoolExecutor(1))
            server.settimeout(30)
            heard: list[bytes] = []

            def answer() -> None:
                with server.accept()[0] as client, contextlib.suppress(OSError):
                    for one in (packet(0, GREETING), *says):
                        client.sendall(one)
                        heard.append(client.recv(4096))

            threads.submit(answer)
            return server.getsockname()[1], heard

        yield start


@pytest.mark.parametrize("way", [b"mysql_clear_password\0", b"dialog\0\x03Password: "])
def test_a_server_that_asks_for_the_password_in_clear_does_not_get_it(ask, malicious, way):
    port, heard = malicious(packet(2, b"\xfe" + way))
    assert "the server asks for the password in clear" in refused(ask, "SELECT 1 AS a", port=port)
    assert all(PASSWORD.encode() not in one for one in heard)


def test_a_server_that_asks_for_a_file_of_this_machine_does_not_get_it(ask, malicious):
    port, heard = malicious(packet(2, b"\0\0\0\2\0\0\0"), packet(1, b"\xfb/etc/passwd"))
    assert refused(ask, "SELECT 1 AS a", port=port).startswith(f"mariadb://localhost:{port}/region: ")
    assert all(b"root:" not in one for one in heard)


def test_more_than_max_bytes_is_refused_and_what_was_there_stays(ask, tmp_path):
    before = ask("SELECT 1 AS a")
    bounds = IngestSettings(allow_hosts=("localhost",), max_bytes=10_000)
    assert "max_bytes" in refused(ask, "SELECT repeat('x', 100) AS a FROM seq_1_to_101", bounds=bounds)
    assert (tmp_path / "answer.parquet").read_bytes() == before.parts[0].path.read_bytes()
    assert ask("SELECT 1 AS a").sha256 == before.sha256
