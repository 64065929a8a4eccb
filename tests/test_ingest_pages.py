"""Records of a JSON API, page by page: all of them once, as they were written, or an error that says why not."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from fixtures_api import SETTINGS, Api, Asked, Said, serving
from pydantic import ValidationError

from catalog.sources import PagesSource
from ingest.run import ingest
from ingest.sources.pages import fetch_pages
from policies.errors import SourceError
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = [f'{{"code": "0100{n}", "n": {n}, "part": {n}.10}}' for n in range(7)]


def listed(rows: list[str], **more: object) -> bytes:
    """An answer whose records are written as they are."""
    members = [f'"{name}": {json.dumps(value)}' for name, value in more.items()]
    return ("{" + ", ".join([*members, f'"results": [{", ".join(rows)}]']) + "}").encode()


@pytest.fixture
def bring(api: Api, tmp_path):
    """The lines of the file that is fetched."""

    def run(settings=SETTINGS, **source: object) -> list[str]:
        query = source.pop("query", "")
        one = fetch_pages(PagesSource(pages=f"{api.url}/api{query}", **source), tmp_path, settings)
        assert one.format == "ndjson"
        return one.parts[0].path.read_text().splitlines()

    return run


def by_offset(rows: Callable[[], list[str]] = lambda: ROWS, *, most: int = 3, told: str | None = None):
    """An API that gives at most so many records from `offset` on, and tells their number if asked to."""

    def answer(asked: Asked) -> bytes:
        start, every = int(asked.parameters["offset"]), rows()
        size = min(most, int(asked.parameters.get("limit", most)))
        return listed(every[start : start + size], **({} if told is None else {told: len(every)}))

    return answer


OFFSET = {"records": "results", "next": "offset"}


def test_records_stay_as_they_were_written(api, bring):
    row = r'{"n": 1.10, "long": 123456789012345678901234567890, "e": 1E5, "t": "a\nb é ", "o": {"x": [1.0]}}'
    spread = row.replace(", ", ",\r\n  ")
    api.answer = by_offset(lambda: [spread, ROWS[0]], told="total_count")
    first, second = bring(**OFFSET)
    assert first == row.replace(", ", ",    ")
    assert second == ROWS[0]


@pytest.mark.parametrize("told", ["total_count", "total", "count", None])
def test_offsets_go_on_from_what_came_even_if_the_server_gives_less_than_was_asked(api, bring, told):
    api.answer = by_offset(told=told)
    assert bring(**OFFSET, size=5) == ROWS
    starts = [one.parameters["offset"] for one in api.asked]
    assert starts == (["0", "3", "6"] if told else ["0", "3", "6", "7"] * 2)
    assert api.asked[0].parameters["limit"] == "5"


def test_a_number_that_counts_the_page_alone_is_no_total(api, bring):
    def answer(asked: Asked) -> bytes:
        start = int(asked.parameters["offset"])
        return listed(ROWS[start : start + 3], count=len(ROWS[start : start + 3]))

    api.answer = answer
    assert bring(**OFFSET) == ROWS


def test_pages_are_counted_from_one_or_as_said(api, bring):
    def answer(asked: Asked) -> bytes:
        page = int(asked.parameters["page" if "page" in asked.parameters else "p"])
        start = 3 * (page - 1) if "page" in asked.parameters else 3 * page
        return listed(ROWS[start : start + 3], total=7)

    api.answer = answer
    assert bring(records="results", next="page") == ROWS
    assert bring(records="results", next="page", parameter="p", first=0, query="?sort=a%20b") == ROWS
    assert [one.parameters for one in api.asked[3:]] == [{"sort": "a b", "p": str(page)} for page in range(3)]


def test_records_may_be_the_answer_itself_and_the_next_page_in_the_link_header(api, bring):
    def answer(asked: Asked) -> Said:
        start = int(asked.parameters.get("from", 0))
        rows = ROWS[start : start + 3]
        link = f'</api?from={start + 3}>; rel="next", <{api.url}/api>; rel="first"' if start + 3 < 7 else ""
        return Said(f"[{', '.join(rows)}]".encode(), headers={"Link": link, "X-Total-Count": "7"})

    api.answer = answer
    assert bring(next="link") == ROWS
    assert len(api.asked) == 3


@pytest.mark.parametrize("end", [None, "", False])
def test_a_cursor_is_followed_as_a_value_or_as_an_address(api, bring, end):
    def answer(asked: Asked) -> bytes:
        start = int(asked.parameters.get("after", 0))
        value = start + 3 if start + 3 < 7 else end
        address = value if not value else f"{api.url}/api?after={value}"
        return listed(ROWS[start : start + 3], meta={"cursor": value, "next": address})

    api.answer = answer
    assert bring(records="results", next="cursor", cursor="meta.cursor", parameter="after") == ROWS
    assert bring(records="results", next="cursor", cursor="meta.next") == ROWS
    assert len(api.asked) == 6


def test_a_cursor_that_stays_the_same_is_the_end_where_all_came_and_else_an_error(api, bring):
    cursor = {"records": "results", "next": "cursor", "cursor": "mark", "parameter": "mark"}
    api.answer = lambda asked: listed(ROWS[:3] if asked.parameters.get("mark") == "a" else ROWS[3:], mark="a", total=7)
    assert bring(**cursor) == ROWS[3:] + ROWS[:3]
    api.answer = lambda asked: listed(ROWS[:3] if asked.parameters.get("mark") == "a" else ROWS[3:], mark="a")
    with pytest.raises(SourceError, match="the cursor is the one that was asked with|leads nowhere"):
        bring(**cursor)


def test_pages_that_lead_back_are_an_error(api, bring):
    api.answer = lambda asked: listed(
        [ROWS[int(asked.parameters.get("c", 0))]], c="12"[asked.parameters.get("c") == "1"]
    )
    with pytest.raises(SourceError, match="leads back to one before"):
        bring(records="results", next="cursor", cursor="c", parameter="c")


def test_a_server_that_does_not_know_the_parameter_is_seen_by_the_page_that_comes_again(api, bring):
    api.answer = lambda _: listed(ROWS[:3], total=6)
    with pytest.raises(SourceError, match="pages 1 and 2 are the same, 3 times; check `records`, `parameter`"):
        bring(**OFFSET)


class Changing:
    """Rows that change when the server is asked for the n-th time; each change is made once."""

    def __init__(self, **changes: Callable[[list[str]], object]) -> None:
        self.rows = list(ROWS)
        self.changes = {int(name.removeprefix("at_")): change for name, change in changes.items()}
        self.times = 0

    def __call__(self) -> list[str]:
        self.times += 1
        if self.times in self.changes:
            self.changes[self.times](self.rows)
        return self.rows


NEW = '{"code": "2A004", "n": 9, "part": 9.00}'


@pytest.mark.parametrize("told", ["total_count", None])
@pytest.mark.parametrize(
    "change",
    [lambda rows: rows.insert(0, NEW), lambda rows: rows.pop(0), lambda rows: rows.append(NEW)],
    ids=["inserted", "removed", "appended"],
)
def test_pages_that_change_as_they_are_read_are_read_again(api, bring, told, change):
    rows = Changing(at_2=change)
    api.answer = by_offset(rows, told=told)
    assert bring(**OFFSET) == rows.rows
    assert rows.rows != ROWS


def test_a_row_that_came_and_one_that_went_at_once_are_seen_by_the_row_that_comes_twice(api, bring):
    def change(rows: list[str]) -> None:
        rows.insert(0, NEW)
        rows.pop()

    rows = Changing(at_2=change)
    api.answer = by_offset(rows, told="total")
    assert bring(**OFFSET) == rows.rows


@pytest.mark.parametrize("told", ["total_count", None])
def test_pages_that_never_agree_are_an_error_and_what_was_there_stays(api, bring, told, tmp_path):
    api.answer = by_offset(told="total")
    bring(**OFFSET)
    before = (tmp_path / "records.ndjson").read_bytes()
    always = {f"at_{n}": lambda rows: rows.insert(0, NEW.replace("9.00", f"{len(rows)}.0")) for n in range(2, 90)}
    api.answer = by_offset(Changing(**always), told=told)
    with pytest.raises(SourceError, match=r"the pages change while they are read: .*, 3 times"):
        bring(**OFFSET)
    assert (tmp_path / "records.ndjson").read_bytes() == before


def test_fewer_records_than_the_server_says_are_an_error(api, bring):
    api.answer = lambda asked: listed(ROWS[int(asked.parameters["offset"]) :][:3], total_count=8)
    with pytest.raises(SourceError, match="counts 8 records, and 7 came, 3 times"):
        bring(**OFFSET)


def test_a_total_that_is_another_on_the_way_is_an_error_even_if_all_seem_to_have_come(api, bring):
    def answer(asked: Asked) -> bytes:
        start = int(asked.parameters["offset"])
        return listed(ROWS[start:][:3], total=9 if start == 3 else 7)

    api.answer = answer
    with pytest.raises(SourceError, match="counted as 7, and as 9 at page 2, 3 times"):
        bring(**OFFSET)


def test_a_number_that_is_no_total_can_be_disowned_or_the_right_one_named(api, bring):
    api.answer = lambda asked: listed(ROWS[int(asked.parameters["offset"]) :][:3], total=99, all={"n": 7})
    assert bring(**OFFSET, total=False) == ROWS
    assert bring(**OFFSET, total="all.n") == ROWS
    with pytest.raises(SourceError, match="no number at total: all.m"):
        bring(**OFFSET, total="all.m")


def test_equal_records_are_kept_where_a_total_and_a_second_reading_prove_them(api, bring):
    same = [ROWS[0]] * 2 + [ROWS[1]] * 3
    api.answer = by_offset(lambda: same, told="total")
    assert bring(**OFFSET) == same
    api.answer = by_offset(lambda: same)
    with pytest.raises(SourceError, match="pages 1 and 2 have a record in common"):
        bring(**OFFSET)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<!DOCTYPE html><title>Login", "expected JSON"),
        (b'{"results": [{"a": 1}', "expected JSON"),
        (b'{"results": [{"a": 1}]} {}', "expected JSON"),
        (b'{"result": []}', "no 'results'; did you mean 'result'"),
        (b"[]", "expected an object with 'results', found a list"),
        (b'{"results": {}}', "expected a list of records at 'results', found an object"),
        (b'{"results": [[1]]}', "the one at place 1 is a list"),
        (b'{"results": [{"a": 1}], "results": []}', "stands twice"),
        (b'{"results": [{"a": 1}], "results": [{"a": 2}]}', "stands twice"),
        (b'{"results": [{"a": 1}], "results": null}', "stands twice"),
        (b'{"results": "x", "results": [{"a": 1}]}', "stands twice"),
        (b'{"results": ["\xe9"]}', "expected JSON in UTF-8; byte 14 is not"),
        (b'{"results": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "expected JSON"),
    ],
)
def test_an_answer_that_is_no_page_is_an_error(api, bring, body, said):
    api.answer = lambda _: body
    with pytest.raises(SourceError, match=said) as error:
        bring(**OFFSET)
    assert str(error.value).startswith(f"{api.url}/api")


def test_no_records_make_an_empty_file(api, bring):
    api.answer = lambda _: b'{"results": null, "total": 0}'
    assert bring(**OFFSET) == []


def test_too_many_pages_or_bytes_are_refused(api, bring):
    api.answer = by_offset()
    with pytest.raises(SourceError, match="more than 2 pages; raise max_pages"):
        bring(SETTINGS.model_copy(update={"max_pages": 2}), **OFFSET)
    with pytest.raises(SourceError, match="more than 100 bytes; ask for less, or raise max_bytes"):
        bring(SETTINGS.model_copy(update={"max_bytes": 100}), **OFFSET)


def test_a_secret_is_sent_and_never_to_another_server(api, bring, monkeypatch):
    monkeypatch.setenv("API_TOKEN", "Bearer s3cret")
    cursor = {"records": "results", "next": "cursor", "cursor": "next"}
    with serving() as other:
        other.answer = lambda _: listed(ROWS[3:], next=None)
        api.answer = lambda _: listed(ROWS[:3], next=f"{other.url}/api")
        assert bring(**cursor) == ROWS
        other.asked.clear()
        with pytest.raises(SourceError, match="is not sent") as error:
            bring(**cursor, authorization="API_TOKEN")
        assert "s3cret" not in str(error.value)
        assert other.asked == []
    assert api.asked[-1].headers["Authorization"] == "Bearer s3cret"
    assert "Authorization" not in api.asked[0].headers


def test_a_cursor_without_its_path_is_refused():
    with pytest.raises(ValidationError, match="belong together"):
        PagesSource(pages="https://example.org", next="cursor")


def test_records_become_a_table_whose_codes_and_numbers_are_those_of_the_api(api, folder):
    settings = folder.root / "datalab.toml"
    settings.write_text(settings.read_text() + '[ingest]\nallow_hosts = ["127.0.0.1"]\n')
    folder.describe("jeu", {"t": {"source": {"pages": f"{api.url}/api", **OFFSET}}})
    folder.grant("jeu", {}, {"to": "user:steward", "edition": RAW, "until": "2999-01-01"})
    api.answer = by_offset(told="total")
    outcomes = [next(ingest(folder.lab, "jeu", lambda _: None)) for _ in range(2)]
    assert [one.error for one in outcomes] == [None, None]
    assert [one.status for one in outcomes] == ["ingested", "unchanged"]
    assert folder.rows()[1] == ("01001", 1, Decimal("1.10"))
