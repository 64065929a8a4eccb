"""Commune codes between years, in a jail: what SQL and `import lab` are given there."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fixtures_sandbox import DESCRIPTOR, POLICY, RAW_TO_BOB, run

from catalog.lake import ServedColumn

EVENTS = ("MOD", "DATE_EFF", "TYPECOM_AV", "COM_AV", "TYPECOM_AP", "COM_AP")
ASK = """
import lab
people = lab.sql("SELECT unnest(['01001', '01002', '1']) AS code, 1 AS people")
moved = lab.cog.convert(people, "code", 2001, 2002)
print(sorted(moved.fetchall(), key=str))
print(lab.sql("SELECT code, state FROM cog_crosswalk(2001, 2002) ORDER BY code").fetchall())
print(lab.cog.convert(moved, "code", 2002, 2001).columns)
"""


@pytest.fixture
def codes(lab):
    """Beside the usual datasets one that bob alone is granted: 01002 was merged into 01001 in June 2001."""
    (lab.root / "datasets" / "codes.yaml").write_text(DESCRIPTOR.format(title="Codes").replace("bornes", "events"))
    (lab.root / "policies" / "codes.yaml").write_text(
        POLICY.format(grants=RAW_TO_BOB).replace("bornes: {keep: [id]}", "events: {keep: [MOD]}")
    )
    rows = [("31", "2001-06-01", "COM", code, "COM", "01001") for code in ("01001", "01002")]
    table = pa.table(dict(zip(EVENTS, map(list, zip(*rows, strict=True)), strict=True)))
    staged = lab.lake.stage("codes", "raw", "events", lambda path: pq.write_table(table, path))
    columns = tuple(ServedColumn(name=name, type="VARCHAR") for name in EVENTS)
    lab.lake.commit("codes", "raw", {"events": (staged, columns, {"source": "test"})})
    return lab


def test_a_notebook_converts_codes_by_the_events_it_was_granted(codes):
    said = run(codes, "python", "-c", ASK, user="bob")
    assert (said.code, said.out.splitlines()) == (
        0,
        [
            "[('01001', 1, '01001', 'merged'), ('01001', 1, '01002', 'merged'), (None, 1, '1', 'unknown')]",
            "[('01001', 'merged'), ('01002', 'merged')]",
            "['code', 'people', 'code_2001', 'code_2001_state', 'code_2002', 'code_2002_state']",
        ],
    ), said


CITE = """
import lab
for query in (
    "SELECT count(*) FROM cog_crosswalk(2001, 2002)",
    '''SELECT * FROM cog_convert('irve.bornes', 'id', 2001, 2002), "secret@raw".bornes''',
    "FROM query('FROM irve.bornes')",
):
    told = lab.cite(query)
    print(sorted(one["name"] for one in told.tables), lab.replay(told).shape[0])
"""


def test_a_citation_names_the_tables_that_the_macros_read_and_is_replayed_by_them(codes):
    said = run(codes, "python", "-c", CITE, user="bob")
    assert (said.code, said.out.splitlines()) == (
        0,
        ["['codes@raw.events'] 1", "['codes@raw.events', 'irve.bornes', 'secret@raw.bornes'] 2", "['irve.bornes'] 2"],
    ), said


def test_who_was_not_granted_the_events_is_told_so(codes):
    said = run(codes, "python", "-c", ASK, user="eve")
    assert said.code == 1
    assert "LookupError: you were not granted INSEE's events" in said.err
