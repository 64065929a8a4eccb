from __future__ import annotations

import datetime as dt

from fixtures_portal import REJECTED, raw_receipt

from catalog.receipt import Changes
from catalog.versions import proofs, versions
from policies.editions import EditionTable

DAY = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
WHY = [("nom", "'Zoé' is no number"), ("montant", "all are numbers")]


def own(raw_version=0, rows=6):
    return {"version": 4, "committed": DAY, "raw_version": raw_version, "rows_in": 6, "rows_out": rows}


def raw(rows=6, rejected=0):
    return {**raw_receipt(rows, rejected, WHY), "version": 0, "committed": DAY}


def test_a_version_tells_counts_origin_and_proof_of_the_bytes_and_no_rejected_text():
    (version,) = versions([own()], [raw(rejected=2)])
    assert (version.number, version.committed, version.rows) == (4, DAY, 6)
    assert (version.read, version.kept, version.rejected) == (8, 6, 2)
    assert version.origin == "https://exemple.fr/versements.csv"
    assert version.sha256 == "ab" * 32
    assert REJECTED not in repr(version)
    assert "/srv/private" not in repr(version)


def test_a_version_tells_what_changed_as_its_own_edition_counts_it_and_not_as_the_raw_table_does():
    changes = {"rows_added": 2, "rows_removed": 1, "columns_added": ["z"]}
    behind = {**raw(), "changes": {"rows_added": 99, "rows_removed": 99, "columns_added": ["secret"]}}
    (version,) = versions([{**own(), "changes": changes}], [behind])
    assert version.changes == Changes(rows_added=2, rows_removed=1, columns_added=("z",))
    assert "secret" not in repr(version)
    (version,) = versions([{**own(), "changes": None}], [behind])
    assert version.changes is None


def test_a_receipt_without_its_keys_leaves_gaps_and_breaks_nothing():
    (version,) = versions([{"version": 0, "committed": DAY}], [])
    assert (version.rows, version.read, version.rejected, version.origin, version.fetched) == (None,) * 5
    (version,) = versions([own()], [{"version": 0, "rows_in": "8", "origin": 3, "fetched": "yesterday"}])
    assert (version.read, version.origin, version.fetched) == (None, None, None)


def test_a_proof_is_told_of_columns_that_are_kept_as_they_are():
    table = EditionTable(keep=("nom", "montant"), pseudonymise=("nom",))
    assert proofs(own(), [raw()], table) == {"montant": "all are numbers"}
    assert proofs(own(), [raw()], EditionTable(keep=("nom",))) == {"nom": "'Zoé' is no number"}


def test_a_proof_is_not_told_when_rows_were_left_out_for_it_may_quote_one():
    table = EditionTable(keep=("nom", "montant"))
    assert proofs(own(rows=5), [raw()], table) == {}
    assert proofs(own(), [raw()], EditionTable(keep=("nom",), where="montant > 0")) == {}
    assert proofs(own(raw_version=9), [raw()], table) == {}
    assert proofs(own(), [raw()], None) == {}


def test_a_proof_that_quotes_is_not_told_when_rows_were_rejected_for_it_may_quote_one():
    table = EditionTable(keep=("nom", "montant"))
    assert proofs(own(), [raw(rejected=1)], table) == {"montant": "all are numbers"}
