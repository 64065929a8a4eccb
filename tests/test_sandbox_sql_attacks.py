"""Attacks on the SQL gateway: each line of what hostile SQL tries, with the gate in the engine and without it.

"Without" asks the engine in its jail as if the second wall had a hole, so that the first, the jail, is known to hold.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest
from fixtures_gateway import with_bounds
from fixtures_sandbox import Said, run_profile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.limits import Limits
from sandbox.settings import SandboxSettings
from sandbox.sql.access import Access, Reader
from sandbox.sql.jail import engine_profile
from sandbox.sql.settings import GatewaySettings

FILES = ("/etc/passwd", "/data/datasets.json", "/proc/self/environ", "/opt/datalab/lab/engine.py")
READERS = ("read_text", "read_csv", "read_blob", "read_json", "read_parquet", "glob", "sniff_csv", "parquet_metadata")

ATTACKS = [
    *(f"SELECT * FROM {reader}('{path}')" for reader in READERS for path in FILES),
    *(f"FROM '{path}'" for path in FILES),
    *(f"SELECT * FROM query('FROM {reader}(''{FILES[0]}'')')" for reader in READERS),
    "SELECT * FROM query_table('irve.bornes')",
    "FROM query_table(['irve.bornes', 'secret.bornes'])",
    "COPY irve.bornes TO '/data/irve/open/bornes/x.parquet'",
    "COPY (SELECT 1) TO '/home/lab/x'",
    "ATTACH '/data/x.duckdb'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '100GB'",
    "SET lock_configuration = false",
    "RESET memory_limit",
    "PRAGMA database_list",
    "PRAGMA version",
    "CALL duckdb_settings()",
    "CREATE TABLE x AS SELECT 1",
    "CREATE MACRO m() AS 1",
    "DROP VIEW irve.bornes",
    "INSERT INTO main.datasets SELECT * FROM main.datasets",
    "UPDATE main.datasets SET rows = 0",
    "EXPORT DATABASE '/tmp/x'",
    "CHECKPOINT",
    "USE irve",
    "PREPARE p AS SELECT 1",
    "EXPLAIN SELECT 1",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP VIEW irve.bornes",
    *(
        f"FROM duckdb_{what}()"
        for what in ("settings", "views", "tables", "columns", "secrets", "databases", "functions")
    ),
    "FROM pragma_version()",
    "FROM information_schema.tables",
    "FROM information_schema.views",
    "FROM pg_catalog.pg_views",
    "FROM sqlite_master",
    "FROM system.main.duckdb_views()",
    "FROM memory.irve.bornes",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "DESCRIBE FROM '/etc/passwd'",
    "SUMMARIZE FROM read_text('/etc/passwd')",
    "SELECT getenv('HOME')",
    "SELECT current_setting('temp_directory')",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "WITH x AS (FROM '/etc/passwd') FROM x",
    "WITH irve AS (SELECT 1) FROM secret.bornes",
    'FROM "/etc/passwd"',
    'FROM "secret@raw".bornes',
    'FROM "irve@raw".bornes',
    "SELECT * FROM irve.bornes JOIN secret.bornes USING (id)",
    "SELECT * FROM irve.bornes WHERE EXISTS (FROM secret.bornes)",
    "SELECT * FROM cog_convert('(FROM read_text(''/etc/passwd''))', 'content', 2019, 2020)",
    "PIVOT irve.bornes ON id USING count(*)",
    "FROM (PIVOT irve.bornes ON id USING count(*))",
    "FROM irve.bornes POSITIONAL JOIN read_text('/etc/passwd')",
    "FROM irve.bornes, LATERAL (FROM read_text(id))",
    'SELECT * FROM "]"."\\""',
    "SELECT a.* FROM (WITH duckdb_views AS (SELECT 1) SELECT 1) b, duckdb_views a",
    "SELECT a.* FROM (WITH Duckdb_Views AS (SELECT 1) SELECT 1) b, DUCKDB_VIEWS a",
    'SELECT a.* FROM (WITH "/data/datasets.json" AS (SELECT 1) SELECT 1) b, "/data/datasets.json" a',
    'WITH "secret.bornes" AS (SELECT 1) SELECT count(*) FROM secret.bornes',
    "FROM (WITH tables AS (SELECT 1) SELECT 1) b, tables a",
    "FROM cog_convert('irve.' || 'bornes', 'id', 2019, 2026)",
    "FROM cog_convert('(SELECT name, value FROM duckdb_settings())', 'name', 2019, 2026)",
    "FROM cog_convert('(WITH x AS (FROM glob(''/data/**'')) FROM x)', 'file', 2019, 2026)",
    "FROM cog_check('irve.bornes', 'id', 'id', 2019, 2026, '(FROM read_csv(''/data/*/*/current.json''))')",
    "FROM cog_convert('(FROM irve.bornes); FROM secret.bornes', 'id', 2019, 2026)",
    "SELECT cog_sql('(FROM duckdb_views())', 'id', 2019, 2026)",
    "SELECT pg_get_viewdef(22539)",
    "SELECT current_query()",
    "FROM histogram('irve.bornes', id)",
    "SELECT setseed(0.5)",
    'SELECT "]" FROM irve.bornes',
]


@pytest.mark.parametrize("sql", ATTACKS)
def test_an_attack_is_refused_and_says_nothing_of_the_machine(gateway, sql):
    answer = gateway.sql(sql, "eve")
    assert answer.status_code == 400, answer.text
    said = answer.json()["error"]
    assert str(gateway.lab.root) not in said
    assert "root:" not in said
    assert gateway.sql("SELECT count(*) AS n FROM irve.bornes", "eve").json() == [{"n": 2}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM irve.bornes",
        "SELECT id FROM IRVE.Bornes",
        'WITH irve AS (SELECT 1) SELECT id FROM "irve@open".bornes',
        "WITH bornes AS (SELECT 7 AS id) SELECT (SELECT count(*) FROM irve.bornes) FROM bornes",
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM (VALUES (1)) v(a), LATERAL (SELECT id FROM irve.bornes))",
        "DESCRIBE irve.bornes",
        "SUMMARIZE irve.bornes",
        "SELECT * FROM (SELECT 1 AS a) UNION BY NAME SELECT id FROM irve.bornes",
        "FROM (PIVOT (FROM irve.bornes) ON id IN ('a') USING count(*))",
    ],
)
def test_however_a_table_is_named_the_log_has_it(gateway, sql):
    assert gateway.sql(sql, "eve").status_code == 200, gateway.sql(sql, "eve").text
    assert [one["resource"] for one in gateway.audit()[-1]["editions"]] == ["bornes"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT length(repeat('x', 2000000000))",
        "SELECT length(lpad('x', 2000000000, 'y'))",
        "SELECT len(flatten(list_transform(range(20000), x -> range(20000))))",
        "SELECT levenshtein(repeat('a', 100000), repeat('b', 100000))",
        "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE hash(a, b) = 1",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r",
        f"SELECT {'(' * 100_000}1{')' * 100_000}",
        f"SELECT {'+'.join(['1'] * 100_000)}",
        "SELECT [" * 3000 + "1" + "]" * 3000,
        f"SELECT '{'x' * 900_000}' AS a WHERE false",
        f"SELECT 1 WHERE 1 IN ({','.join(map(str, range(100_000)))})",
    ],
    ids=lambda sql: sql[:40],
)
def test_what_would_eat_the_machine_is_ended_and_the_next_query_is_answered(bounded, sql):
    answer = bounded.sql(sql)
    assert answer.status_code in {200, 400, 504}, answer.text
    assert bounded.sql("SELECT 1 AS a").json() == [{"a": 1}]


@pytest.fixture(scope="module")
def bounded(tmp_path_factory):
    """A gateway with a short deadline and little memory."""
    from fixtures_gateway import served  # noqa: PLC0415

    lab = with_bounds(tmp_path_factory.mktemp("bounded") / "lab", 'memory = "256MiB"\nseconds = 3')
    with served(lab) as own:
        yield own


WITHOUT_THE_GATE = """
import json, sys
import duckdb
from lab.engine import opened
con, tables = opened()
told = []
for sql in json.loads(sys.stdin.read()):
    try:
        told.append([True, repr(con.execute(sql).fetchall())[:2000]])
    except BaseException as error:
        told.append([False, f"{type(error).__name__}: {error}"[:500]])
print(json.dumps(told))
"""


def jailed(lab, statements, user="eve") -> list[list]:
    """What an engine answers in its jail without the gate and without locked settings, statement by statement."""
    principals = frozenset({"everyone", f"user:{user}"})
    view = Access(lab).view(Reader(f"user:{user}", principals, None))
    scratch = lab.var / "scratch" / user
    scratch.mkdir(parents=True, exist_ok=True)
    sandbox = lab.section("sandbox", SandboxSettings)
    uid = sandbox.first_uid - 1 if os.geteuid() == 0 else None
    if uid is not None:
        os.chown(scratch, uid, uid)
    profile = engine_profile(lab, view, GatewaySettings(), sandbox, uid=uid, scratch=scratch, channel=0)
    profile = type(profile)(
        **{**vars(profile), "command": (*profile.command[:1], "-c", WITHOUT_THE_GATE), "files": profile.files}
    )
    said: Said = run_profile(
        profile, stdin=json.dumps(statements).encode(), limits=Limits(memory=2**29, pids=128, cpus=2)
    )
    assert said.code == 0, said
    answers: list[list] = json.loads(said.out)
    return answers


def test_past_the_gate_there_is_nothing_of_the_host_nor_of_others_and_nothing_can_be_written(lab):
    shadow, stranger = "/etc/shadow", f"{lab.lake.edition_path('secret', 'raw')}/**"
    answers = jailed(
        lab,
        [
            f"SELECT content FROM read_text('{shadow}')",
            f"SELECT file FROM glob('{stranger}')",
            f"SELECT file FROM glob('{lab.root}/**')",
            "SELECT file FROM glob('/data/**')",
            "COPY (SELECT 1) TO '/data/irve/open/bornes/x.parquet'",
            "COPY (SELECT 1) TO '/data/datasets.json' (FORMAT json)",
            "ATTACH '/data/x.duckdb' AS x",
            "INSTALL httpfs",
            "SELECT * FROM read_text('http://127.0.0.1:1/')",
            "FROM secret.bornes",
            "SELECT content FROM read_text('/etc/passwd')",
            "SELECT count(*) FROM irve.bornes",
        ],
    )
    outcome = [went for went, _ in answers]
    assert outcome == [True, True, True, True, *[False] * 6, True, True], answers
    assert [said for _, said in answers[:3]] == ["[]"] * 3  # no such file
    assert "secret" not in answers[3][1]
    assert "root" not in answers[10][1]
    assert answers[11][1] == "[(2,)]"


def test_the_control_without_the_jail_the_same_statements_reach_what_they_want(lab):
    import duckdb  # noqa: PLC0415

    path = next(lab.lake.edition_path("secret", "raw").rglob("*.parquet"))
    con = duckdb.connect()
    assert con.execute(f"SELECT id FROM '{path}'").fetchall() == [("s",)]
    assert "root" in con.execute("SELECT content FROM read_text('/etc/passwd')").fetchall()[0][0]
    target = lab.var / "written.parquet"
    con.execute(f"COPY (SELECT 1) TO '{target}'")
    assert target.exists()


def test_an_engine_has_no_network(lab):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        reachable = subprocess.run(
            ["python3", "-c", f"import socket; socket.create_connection(('127.0.0.1', {port}))"], check=False
        )
        assert reachable.returncode == 0
        ((went, said),) = jailed(lab, [f"SELECT * FROM read_csv('http://127.0.0.1:{port}/x.csv')"])
        assert not went, said


NAMES = st.sampled_from(
    [
        "irve.bornes",
        '"irve@open".bornes',
        '"irve@raw".bornes',
        "secret.bornes",
        "'/etc/passwd'",
        "duckdb_views()",
        "main.datasets",
        "read_text('/etc/passwd')",
        "range(3)",
        "x",
        "glob('/**')",
        "information_schema.tables",
        "read_parquet('/data/**')",
        "query('FROM secret.bornes')",
        "(VALUES (1)) v(id)",
        "sniff_csv('/etc/passwd')",
    ]
)
TERMS = st.sampled_from(
    [
        "id",
        "*",
        "1",
        "'a'",
        "NULL",
        "count(*)",
        "getenv('PATH')",
        "current_setting('temp_directory')",
        "rowid",
        "filename",
        "columns('.*')",
        "struct_pack(a := 1)",
        "list(id)",
        "error('x')",
        "upper(id)",
        "version()",
        "file_row_number",
        "repeat('x', 1000)",
        "current_database()",
        "current_schemas(true)",
        "getvariable('x')",
        "$1",
        "?",
        "$a",
    ]
)


@st.composite
def statements(draw) -> str:
    """A statement of a small grammar: most are wrong, some are attacks, some are answered."""
    table = draw(NAMES)
    for _ in range(draw(st.integers(0, 2))):
        joined = draw(st.sampled_from([", ", " CROSS JOIN ", " POSITIONAL JOIN ", " NATURAL JOIN ", " SEMI JOIN "]))
        table += f"{joined}{draw(NAMES)}"
    sql = f"SELECT {', '.join(draw(st.lists(TERMS, min_size=1, max_size=3)))} FROM {table}"
    if draw(st.booleans()):
        sql += f" WHERE {draw(TERMS)} = {draw(TERMS)}"
    if draw(st.booleans()):
        sql = draw(
            st.sampled_from(
                [
                    "WITH x AS ({0}) FROM x",
                    "SELECT ({0})",
                    "{0} UNION ALL {0}",
                    "FROM ({0})",
                    "DESCRIBE {0}",
                    "COPY ({0}) TO 'x'",
                    "EXPLAIN ANALYZE {0}",
                    "{0}; {0}",
                    "CREATE VIEW v AS {0}",
                    "SUMMARIZE {0}",
                    "FROM query('{1}')",
                    "({0})",
                    "WITH RECURSIVE x AS ({0} UNION ALL FROM x) FROM x LIMIT 3",
                    "SET x = ({0})",
                    "{0} /*",
                    "{0} --",
                ]
            )
        ).format(sql, sql.replace("'", "''"))
    return sql


@given(sql=statements())
@settings(
    max_examples=int(os.environ.get("DATALAB_FUZZ", "2000")), deadline=None, suppress_health_check=list(HealthCheck)
)
def test_no_statement_reads_outside_of_the_grant_or_names_a_path(gateway, sql):
    answer = gateway.sql(sql, "eve")
    assert answer.status_code in {200, 400}, answer.text
    for never in (str(gateway.lab.root), "root:x", "/data/", "/home/lab", ".parquet", '"s"', '"c"'):
        assert never not in answer.text.replace(json.dumps(sql)[1:-1], ""), (sql, answer.text)


def test_the_machine_has_no_more_engines_than_its_settings_say(gateway):
    assert len(list(Path(gateway.lab.var / "scratch").iterdir())) <= 16
