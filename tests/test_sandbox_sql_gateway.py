"""SQL over HTTP: whoever asks gets what they were granted, in the form they want, and the log knows."""

from __future__ import annotations

import configparser
import contextlib
import io
import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from fixtures_gateway import LATER, served, with_bounds
from fixtures_sandbox import POLICY, REPOSITORY, commit

from sandbox import gatewaycli
from sandbox.sql.tokens import Tokens

ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()]


def refused(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    return answer.json()["error"]


def test_a_query_is_answered_with_what_its_asker_was_granted_and_nothing_else(gateway):
    assert ids(gateway.sql("SELECT id FROM irve.bornes ORDER BY id", "eve")) == ["a", "b"]
    assert ids(gateway.sql("SELECT id FROM secret.bornes", "bob")) == ["s"]
    assert "there is no table 'secret.bornes'" in refused(gateway.sql("FROM secret.bornes", "ada"), 400)


def test_what_is_granted_for_a_purpose_is_there_when_it_is_stated(gateway):
    assert ids(gateway.sql("SELECT id FROM irve.bornes", "ada")) == ["a", "b"]
    assert len(ids(gateway.sql("SELECT id FROM irve.bornes", "ada", purpose="mobility"))) == 3
    assert len(ids(gateway.sql("SELECT id FROM irve.bornes", "eve", purpose="mobility"))) == 2


def test_sql_without_a_token_is_not_answered(gateway):
    answer = gateway.sql("FROM irve.bornes", None)
    assert "needs a token" in refused(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "said", ["Bearer dlab_00000000_" + "x" * 43, "Bearer x", "Basic !", "Bearer " + "x" * 5000, "Digest a=b", ""]
)
def test_a_token_that_is_none_is_refused_and_not_taken_for_no_token(gateway, said):
    answer = httpx.get(f"{gateway.url}/datasets", headers={"Authorization": said})
    assert "unknown or has ended" in refused(answer, 401)
    assert "x" * 43 not in answer.text


def test_a_token_is_taken_as_the_password_of_basic_too(gateway):
    answer = httpx.get(f"{gateway.url}/datasets", auth=("ada", gateway.token("ada")))
    assert {row["dataset"] for row in answer.json()} == {"irve"}


def test_all_forms_hold_the_same_rows(gateway):
    sql = "SELECT id, 1.50::DECIMAL(5,2) AS prix, DATE '2026-01-02' AS jour FROM irve.bornes ORDER BY id"
    arrow = pa.ipc.open_stream(gateway.sql(sql, accept=ARROW).content).read_all()
    parquet = pq.read_table(io.BytesIO(gateway.sql(sql, accept=PARQUET).content))
    csv = pa_csv.read_csv(io.BytesIO(gateway.sql(sql, accept="text/csv").content))
    assert arrow.schema.field("prix").type == parquet.schema.field("prix").type == pa.decimal128(5, 2)
    assert arrow.to_pylist() == parquet.to_pylist()
    assert [str(row["jour"]) for row in csv.to_pylist()] == ["2026-01-02", "2026-01-02"]
    assert gateway.sql(sql).json() == [{"id": one, "prix": 1.5, "jour": "2026-01-02"} for one in ("a", "b")]


def test_an_answer_without_rows_is_one_in_every_form(gateway):
    sql = "SELECT id FROM irve.bornes WHERE false"
    assert pa.ipc.open_stream(gateway.sql(sql, accept=ARROW).content).read_all().num_rows == 0
    assert pq.read_table(io.BytesIO(gateway.sql(sql, accept=PARQUET).content)).column_names == ["id"]
    assert gateway.sql(sql, accept="text/csv").text == '"id"\n'
    assert gateway.sql(sql).json() == []


def test_what_a_spreadsheet_would_run_is_defused_in_csv_and_as_it_is_elsewhere(gateway):
    sql = """SELECT '=HYPERLINK("x")' AS "@a" """
    assert gateway.sql(sql, accept="text/csv").text == '"\'@a"\n"\'=HYPERLINK(""x"")"\n'
    assert gateway.sql(sql).json() == [{"@a": '=HYPERLINK("x")'}]


def test_the_form_is_the_one_that_is_accepted_best(gateway):
    def form(accept):
        return gateway.sql("SELECT 1 AS a", accept=accept).headers["content-type"]

    assert form("text/*, application/json;q=0.5").startswith("text/csv")
    assert form("text/csv;q=0.1, */*;q=0.2") == "application/json"
    assert form(f"text/html, {ARROW}") == ARROW
    assert "name one in Accept" in refused(gateway.sql("SELECT 1", accept="text/html"), 406)
    assert "name one in Accept" in refused(gateway.sql("SELECT 1", accept="application/json;q=0"), 406)


def test_parameters_are_bound_and_never_pasted(gateway):
    attack = "a' OR '1'='1"
    assert ids(gateway.sql("SELECT id FROM irve.bornes WHERE id = $id", params={"id": attack})) == []
    assert ids(gateway.sql("SELECT id FROM irve.bornes WHERE id = ?", params=["a"])) == ["a"]
    typed = gateway.sql("SELECT $1::DATE AS d, $2 AS n, $3 AS x", params=["2026-01-02", 7, None])
    assert typed.json() == [{"d": "2026-01-02", "n": 7, "x": None}]
    assert "parameter" in refused(gateway.sql("SELECT $a", params={"b": 1}), 400).lower()
    assert "a parameter is a text" in refused(gateway.sql("SELECT $1", params=[{"a": 1}]), 400)


def test_plain_sql_can_be_sent_as_it_is_and_the_purpose_stands_in_the_address(gateway):
    headers = gateway.headers("ada", **{"Content-Type": "text/plain"})
    answer = httpx.post(f"{gateway.url}/sql?purpose=mobility", content="SELECT id FROM irve.bornes;\n", headers=headers)
    assert len(ids(answer)) == 3


@pytest.mark.parametrize(
    ("content", "kind", "status", "said"),
    [
        (b'{"sql": "SELECT \xff"}', "application/json", 400, "no UTF-8 at byte 16"),
        (b"{" * 100_000, "application/json", 400, "no JSON"),
        (b"[" * 100_000, "application/json", 400, "no JSON"),
        (b"[]", "application/json", 400, "expected a JSON object"),
        (b'{"sql": 1}', "application/json", 400, '"sql" is a text'),
        (b'{"sql": "SELECT 1", "as": "bob"}', "application/json", 400, "expected a JSON object"),
        (b'{"sql": "SELECT 1", "purpose": "x\\nuser:bob"}', "application/json", 400, "a purpose is a word"),
        (b"a=1&" * 100_000, "application/x-www-form-urlencoded", 415, "expected Content-Type"),
        (b"SELECT 1 -- " + b"x" * 2_000_000, "text/plain", 413, "1048576 bytes at most"),
        (b"SELECT \0", "text/plain", 400, "expected one SELECT"),
        (b" ; ", "text/plain", 400, "expected one SELECT"),
    ],
)
def test_a_request_that_is_wrong_is_told_what_was_expected(gateway, content, kind, status, said):
    answer = httpx.post(f"{gateway.url}/sql", content=content, headers=gateway.headers("ada", **{"Content-Type": kind}))
    assert said in refused(answer, status)


def test_the_engine_says_where_the_sql_is_wrong_and_never_where_its_files_lie(gateway):
    said = refused(gateway.sql("SELECT idd FROM irve.bornes"), 400)
    assert "idd" in said
    assert "id" in said.split("Candidate bindings")[1]
    for sql in ("SELECT id::INT FROM irve.bornes", "SELECT error(id) FROM irve.bornes", "SELECT 1 +"):
        said = refused(gateway.sql(sql), 400)
        assert "/data" not in said
        assert str(gateway.lab.root) not in said


def test_two_columns_of_one_name_are_refused_rather_than_one_of_them_lost(gateway):
    assert "two columns of the answer are called 'id'" in refused(gateway.sql("SELECT id, id FROM irve.bornes"), 400)


@pytest.mark.parametrize("sql", ['SELECT 1 AS "a", 2 AS "A"', "SELECT id, ID FROM irve.bornes"])
def test_columns_that_differ_in_capitals_alone_are_refused_for_the_engine_takes_them_for_one(gateway, sql):
    for accept in ("text/csv", ARROW, PARQUET, "application/json"):
        assert "two columns of the answer are called" in refused(gateway.sql(sql, accept=accept), 400)


@pytest.mark.parametrize(
    "value", ["DATE '290000-01-01'", "'infinity'::DATE", "'-290000-01-01'::TIMESTAMP", "union_value(a := 1)"]
)
def test_a_value_that_a_form_has_no_room_for_is_named_and_the_engine_stays(gateway, value):
    for accept in (ARROW, "application/json"):
        answer = gateway.sql(f"SELECT {value} AS a", accept=accept)
        assert answer.status_code == 200 or "CAST it to VARCHAR" in refused(answer, 400)
    assert gateway.sql(f"SELECT CAST({value} AS VARCHAR) AS a").status_code == 200


def test_a_purpose_that_no_policy_names_makes_no_engine_of_its_own_and_stands_in_the_log(gateway):
    before = len(list((gateway.lab.var / "scratch").iterdir()))
    for number in range(5):
        gateway.get(f"/data/irve/open/bornes/rows?purpose=word{number}", Accept="text/csv")
    assert len(list((gateway.lab.var / "scratch").iterdir())) <= before + 1
    assert gateway.audit()[-1]["purpose"] == "word4"


def test_what_a_client_says_of_its_address_is_an_address_or_nothing(gateway):
    gateway.get("/data/irve/open/bornes/rows", **{"X-Forwarded-For": "account:root"})
    assert gateway.audit()[-1]["origin"] is None
    gateway.get("/data/irve/open/bornes/rows", **{"X-Forwarded-For": "192.0.2.7"})
    assert gateway.audit()[-1]["origin"] == "192.0.2.7"


def test_a_page_has_two_lines_in_the_log_as_a_query_has(gateway):
    before = len(gateway.audit())
    assert gateway.get("/data/irve/open/bornes/rows").json()["meta"]["total"] == 2
    assert [event["what"] for event in gateway.audit()[before:]] == ["query", "answer"]


def test_the_log_names_what_was_read_before_it_is_and_what_went_out_and_no_value_of_it(gateway):
    sql = "SELECT id FROM irve.bornes WHERE id <> 'Dupont-la-Joie'"
    answer = gateway.sql(sql, "ada", purpose="mobility")
    query, told = gateway.audit()[-2:]
    assert (query["what"], query["who"], query["purpose"]) == ("query", "user:ada", "mobility")
    assert query["origin"] == "127.0.0.1"
    assert query["editions"] == [{"dataset": "irve", "edition": "raw", "resource": "bornes", "version": 0}]
    assert (told["what"], told["rows"], told["bytes"], told["reason"]) == ("answer", 3, len(answer.content), "whole")
    gateway.sql("FROM secret.bornes", "ada")
    assert gateway.audit()[-1]["what"] == "deny"
    written = "".join(path.read_text() for path in gateway.lab.audit.folder.glob("*.jsonl"))
    assert "Dupont" not in written
    assert gateway.token("ada")[14:] not in written


def test_two_principals_side_by_side_never_see_each_others_editions(gateway):
    asked = [("ada", "irve", ["a", "b"]), ("bob", "secret", ["s"])] * 6
    for user, dataset, expected in asked:
        assert ids(gateway.sql(f"SELECT id FROM {dataset}.bornes ORDER BY id", user)) == expected
    for user, other in (("ada", "secret"), ("eve", "secret")):
        listed = gateway.sql("SELECT DISTINCT dataset, edition FROM main.datasets", user).text
        assert other not in listed
        assert other not in gateway.get("/datasets", user).text
        said = gateway.sql(f"FROM {other}.bornes", user).text
        assert "'s'" not in said


def test_a_grant_that_is_taken_back_stops_the_next_query(tmp_path):
    with served(with_bounds(tmp_path / "lab", 'memory = "512MiB"')) as own:
        assert ids(own.sql("SELECT id FROM secret.bornes", "bob")) == ["s"]
        (own.lab.root / "policies" / "secret.yaml").write_text(POLICY.format(grants=" []"))
        assert "there is no table" in refused(own.sql("SELECT id FROM secret.bornes", "bob"), 400)
        assert own.get("/data/secret/raw/bornes", "bob").status_code == 404


def test_a_snapshot_that_is_committed_is_what_the_next_query_reads(tmp_path):
    with served(with_bounds(tmp_path / "lab", 'memory = "512MiB"')) as own:
        assert len(ids(own.sql("SELECT id FROM irve.bornes"))) == 2
        commit(own.lab, "irve", "open", ["a", "b", "c", "d"], geometry=False)
        assert len(ids(own.sql("SELECT id FROM irve.bornes"))) == 4
        assert own.audit()[-1]["editions"][0]["version"] == 1


def test_a_token_ends_with_its_revocation_and_with_its_user(tmp_path):
    with served(with_bounds(tmp_path / "lab", 'memory = "512MiB"')) as own:
        token = own.token("ada")
        narrow = Tokens(own.lab).create("ada", LATER, "mobility")
        for purpose, status in ((None, 200), ("mobility", 200), ("other", 403)):
            asked = {"sql": "SELECT id FROM irve.bornes", **({} if purpose is None else {"purpose": purpose})}
            answer = httpx.post(f"{own.url}/sql", json=asked, headers={"Authorization": f"Bearer {narrow}"}, timeout=60)
            assert answer.status_code == status
            assert status != 200 or len(ids(answer)) == 3  # it states its purpose by itself
        Tokens(own.lab).revoke(token.split("_")[1])
        refused(own.sql("SELECT 1", "ada"), 401)
        own.tokens["bob"] = Tokens(own.lab).create("bob", LATER, None)
        assert own.sql("SELECT 1", "bob").status_code == 200


def test_a_user_who_is_gone_from_the_settings_is_nobody_at_once(tmp_path):
    with served(with_bounds(tmp_path / "lab", 'memory = "512MiB"')) as own:
        assert len(ids(own.sql("SELECT id FROM irve.bornes", "ada", purpose="mobility"))) == 3
        settings = own.lab.root / "datalab.toml"
        settings.write_text(settings.read_text().replace('ada = ["partners"]', "ada = []"))
        assert len(ids(own.sql("SELECT id FROM irve.bornes", "ada", purpose="mobility"))) == 2
        settings.write_text(settings.read_text().replace("ada = []", ""))
        refused(own.sql("SELECT 1", "ada"), 401)
        settings.write_text("[policies")
        assert refused(own.sql("SELECT 1", "ada"), 503) == "the lab cannot answer now; its log says why"


def test_what_does_not_fit_into_memory_goes_to_disk_and_no_further_than_its_bound(tmp_path):
    spilling = "SELECT count(*) AS n FROM (FROM range(8000000) t(a) ORDER BY hash(a), a OFFSET 1)"
    with served(with_bounds(tmp_path / "lab", 'memory = "256MiB"\ndisk = "2GiB"')) as own:
        assert own.sql(spilling).json() == [{"n": 7999999}]
    with served(with_bounds(tmp_path / "other", 'memory = "256MiB"\ndisk = "1MiB"')) as own:
        said = refused(own.sql(spilling), 400)
        assert "memory" in said
        assert "/home" not in said


def test_more_queries_of_one_principal_than_may_wait_are_told_to_come_back_and_others_are_answered(tmp_path):
    bounds = 'memory = "512MiB"\nengines = 2\nshare = 1\nqueue = 1\nseconds = 4'
    with served(with_bounds(tmp_path / "lab", bounds)) as own, ThreadPoolExecutor(4) as threads:
        own.token("ada")
        long = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE hash(a, b) = 7"
        asked = [threads.submit(own.sql, long, "ada") for _ in range(4)]
        assert own.sql("SELECT 1 AS a", "bob").json() == [{"a": 1}]
        answers = [one.result() for one in asked]
        busy = [answer for answer in answers if answer.status_code == 429]
        assert len(busy) >= 2
        assert {answer.headers["retry-after"] for answer in busy} == {"5"}
        assert {answer.status_code for answer in answers} == {429, 504}


def test_what_runs_too_long_is_killed_at_the_deadline_and_the_next_query_is_answered(tmp_path):
    others = engines()  # of the gateway that other tests share
    with served(with_bounds(tmp_path / "lab", 'memory = "512MiB"\nseconds = 2')) as own:
        own.sql("SELECT 1")  # it has an engine, which the next query is given
        at_work = [one for one in engines() if one not in others]
        said = refused(own.sql("SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE hash(a, b) = 7"), 504)
        assert "stopped after 2 seconds" in said
        gone, _ = psutil.wait_procs(at_work, timeout=10)
        assert gone
        assert own.audit()[-1]["reason"] == "deadline"
        assert ids(own.sql("SELECT id FROM irve.bornes ORDER BY id")) == ["a", "b"]
    assert psutil.wait_procs([one for one in engines() if one not in others], timeout=10)[1] == []


def test_an_engine_that_dies_while_nobody_asks_is_replaced_without_a_word(tmp_path):
    with served(with_bounds(tmp_path / "lab", 'memory = "512MiB"')) as own:
        assert ids(own.sql("SELECT id FROM irve.bornes ORDER BY id")) == ["a", "b"]
        ended = engines()
        assert ended
        for process in ended:
            with contextlib.suppress(psutil.NoSuchProcess):  # with the one before
                process.kill()
        psutil.wait_procs(ended, timeout=10)
        assert ids(own.sql("SELECT id FROM irve.bornes ORDER BY id")) == ["a", "b"]


def test_what_needs_too_much_memory_is_told_so_and_the_next_query_is_answered(tmp_path):
    with served(with_bounds(tmp_path / "lab", 'memory = "256MiB"')) as own:
        said = refused(own.sql("SELECT length(repeat('x', 1500000000))"), 400)
        assert "memory" in said
        assert own.sql("SELECT 1 AS a").json() == [{"a": 1}]


def test_an_answer_that_is_too_long_is_cut_off_so_that_its_reader_sees_it(tmp_path):
    with served(with_bounds(tmp_path / "lab", 'memory = "512MiB"\noutput = "3MiB"')) as own:
        with pytest.raises(httpx.RemoteProtocolError):
            own.sql("SELECT repeat('x', 1000) AS a FROM range(20000)")
        event = own.audit()[-1]
        assert (event["what"], event["reason"]) == ("answer", "refused")
        assert len(own.sql("SELECT 1 AS a FROM range(1000)").json()) == 1000


def test_a_reader_who_hangs_up_ends_the_query_and_one_who_does_not_read_is_not_waited_for(tmp_path):
    with served(with_bounds(tmp_path / "lab", 'memory = "512MiB"\nseconds = 5\nshare = 1')) as own:
        endless = {"sql": "SELECT repeat('x', 1000) AS a FROM range(100000000)"}
        headers = own.headers("ada", Accept="text/csv")
        with httpx.stream("POST", f"{own.url}/sql", json=endless, headers=headers, timeout=60) as answer:
            next(answer.iter_raw())
        # Its place is free at once: share is 1, and the deadline far
        assert own.sql("SELECT 1 AS a").json() == [{"a": 1}]
        with httpx.stream("POST", f"{own.url}/sql", json=endless, headers=headers, timeout=60) as answer:
            pieces = answer.iter_raw()
            next(pieces)
            assert own.sql("SELECT 2 AS a").json() == [{"a": 2}]  # after the deadline of the other
            reasons = [event["reason"] for event in own.audit() if event["what"] in {"answer", "deny"}]
            assert reasons[-2:] == ["deadline", "whole"]


def test_what_stands_in_an_address_never_becomes_a_header_or_markup(gateway):
    for address in (
        "/data/irve/open/bornes%0d%0aSet-Cookie:%20a=b",
        "/data/irve/open/%3Cscript%3E",
        "/%5Cevil",
        "//evil",
    ):
        answer = gateway.get(address)
        assert answer.status_code == 404
        assert "set-cookie" not in answer.headers
        assert answer.headers["content-type"] == "application/json"
        assert "script" not in answer.text


def test_the_address_of_the_gateway_says_where_to_go_on_and_no_other_is_there(gateway):
    assert gateway.get("/").json()["openapi"] == "openapi.json"
    refused(gateway.get("/nothing"), 404)
    refused(httpx.get(f"{gateway.url}/sql"), 405)
    answer = gateway.get("/datasets")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "'none'" in answer.headers["content-security-policy"]
    assert json.loads(answer.text)[0]["columns"] == [{"name": "id", "type": "VARCHAR"}]


def engines() -> list[psutil.Process]:
    """The engines that this test process has: the first process of each jail, whose end is the end of all in it."""
    found = []
    for one in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "worker" in " ".join(one.cmdline()):
                found.append(one)
    return found


def test_the_unit_runs_a_command_that_is_there():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string((REPOSITORY / "deploy" / "datalab-gateway.service").read_text())
    assert unit["Service"]["ExecStart"].endswith("datalab --lab /srv/datalab gateway")
    assert "gateway" in {command.name for command in gatewaycli.app.registered_commands}
