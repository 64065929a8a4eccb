"""An edition as SQL: pure, so compared with literals; what it does is tested where it is run."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from policies.document import parse_yaml
from policies.editions import (
    EditionTable,
    Source,
    alike,
    definition,
    edition_sql,
    fingerprint,
    made_with,
    pseudonymiser,
    scope_of,
)
from policies.errors import DocumentError
from policies.keys import VARIABLE, pseudonym_key
from policies.model import Policy

COLUMNS = {"nom": "VARCHAR", "jour": "DATE", "montant": "DECIMAL(18,2)", "n": "BIGINT"}


def of(column: str, how: object) -> dict:
    return {"keep": [column], "generalise": {column: how}}


def sql(**table) -> str:
    return edition_sql(EditionTable.model_validate(table), source())


def source(columns: dict[str, str] | None = None, item: str = "src", zones: dict[str, str] | None = None) -> Source:
    def place(*keys: object) -> str:
        return f"policies/x.yaml({'.'.join(map(str, keys))})"

    return Source(item=item, columns=COLUMNS if columns is None else columns, place=place, zones=zones or {})


def test_an_edition_keeps_what_it_lists_and_nothing_else():
    assert sql(keep=["montant", "nom"]) == 'SELECT "montant", "nom" FROM src'


def test_an_edition_pseudonymises_generalises_and_filters():
    made = sql(
        keep=["nom", "jour", "montant"],
        pseudonymise=["nom"],
        generalise={"jour": "month", "montant": {"step": 100}},
        where="montant > 0 -- a comment",
    )
    assert made == (
        'SELECT pseudonym(CAST("nom" AS VARCHAR)) AS "nom", strftime("jour", \'%Y-%m\') AS "jour", '
        'CAST(round("montant" / 100) * 100 AS DECIMAL(18,2)) AS "montant" FROM src WHERE (\nmontant > 0 -- a comment\n)'
        "\nORDER BY 1, 2, 3"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"pseudonymise": ["n"]},
        {"generalise": {"n": {"step": 5}}},
        {"top": {"n": 5}},
        {"bottom": {"n": 5}},
        {"k": {"at_least": 5, "over": ["n"]}},
        {"cells": {"dimensions": {"nom": None}, "count": "n", "at_least": 5}},
    ],
)
def test_what_alters_anything_is_put_in_an_order_of_its_own_pseudonyms_first_and_is_unlike_what_was_not(change):
    table = EditionTable.model_validate({"keep": ["nom", "n"], **change})
    places = "2, 1" if "pseudonymise" in change else "1, 2, 3" if "cells" in change else "1, 2"
    assert edition_sql(table, source()).endswith(f"\nORDER BY {places}")
    before = {"definition": definition(table)}
    assert not alike(before, {**before, "made_with": made_with(table, ONE, {})})


def test_what_only_keeps_renames_and_filters_stays_in_its_order():
    table = EditionTable.model_validate({"keep": ["nom", "n"], "rename": {"nom": "x"}, "where": "n > 5"})
    assert "ORDER" not in edition_sql(table, source())
    assert made_with(table, ONE, {}) == {}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"keep": ["nm"]}, "(keep.0): unknown column 'nm'; did you mean 'nom'"),
        (
            {"keep": ["nom"], "k": {"at_least": 5, "over": ["nom"], "of": "jou"}},
            "(k.of): unknown column 'jou'; did you mean 'jour'",
        ),
        ({"keep": ["nom"], "drop": ["jours"]}, "(drop.0): unknown column 'jours'; did you mean 'jour'"),
        (of("nom", "year"), "(generalise.nom): column 'nom' is VARCHAR; only dates have a year"),
        (of("nom", "quarter"), "column 'nom' is VARCHAR; only dates have a quarter"),
        (of("jour", {"step": 5}), "column 'jour' is DATE; only numbers can be rounded"),
        (of("jour", {"width": 5}), "column 'jour' is DATE; only numbers can be put into bands"),
        (of("nom", {"bands": [1]}), "column 'nom' is VARCHAR; only numbers can be put into bands"),
        (of("montant", "departement"), "column 'montant' is DECIMAL(18,2); only the text of an INSEE commune code"),
        (of("montant", "epci"), "column 'montant' is DECIMAL(18,2); only the text of an INSEE commune code"),
        (of("nom", {"grid": 100}), "column 'nom' is VARCHAR; expected a geometry of points, or 'latitude: COLUMN'"),
        (
            {"keep": ["montant", "nom"], "generalise": {"montant": {"grid": 100, "latitude": "nom"}}},
            "column 'nom' is VARCHAR; only numbers are degrees of a place",
        ),
        ({"keep": ["nom"], "top": {"nom": 5}}, "(top.nom): column 'nom' is VARCHAR; only numbers have a top"),
        ({"keep": ["n"], "bottom": {"n": 0.5}}, "(bottom.n): column 'n' is BIGINT; its bottom must be a whole number"),
        (
            {"keep": ["nom", "montant"], "cells": {"dimensions": {"nom": None}, "count": "montant", "at_least": 5}},
            "(cells.count): column 'montant' is DECIMAL(18,2); only whole numbers are counts",
        ),
    ],
)
def test_an_edition_that_cannot_be_built_says_why(table, said):
    with pytest.raises(DocumentError, match=re.escape(said)):
        sql(**table)


@pytest.mark.parametrize(
    "table",
    [
        {"keep": ["nom"], "pseudonymise": ["jour"]},
        {"keep": ["nom"], "pseudonymise": ["nom"], "generalise": {"nom": "year"}},
        {"keep": ["nom", "nom"]},
        {"keep": []},
        {"keep": ["nom"], "drop": ["nom"]},
        {"keep": ["nom"], "rename": {"jour": "date"}},
        {"keep": ["nom", "jour"], "rename": {"nom": "JOUR"}},
        {"keep": ["nom", "jour"], "rename": {"nom": "x", "jour": "X"}},
        {"keep": ["nom"], "rename": {"nom": ""}},
        {"keep": ["nom"], "pseudonymise": {"jour": "etude"}},
        {"keep": ["n"], "pseudonymise": ["n"], "top": {"n": 5}},
        {"keep": ["n"], "top": {"n": 5}, "bottom": {"n": 5}},
        {"keep": ["n"], "generalise": {"n": {"bands": [0, 0]}}},
        {"keep": ["n"], "generalise": {"n": {"bands": []}}},
        {"keep": ["n"], "generalise": {"n": {"width": 0}}},
        {"keep": ["n"], "generalise": {"n": {"grid": 0}}},
        {"keep": ["n"], "generalise": {"n": {"grid": 100, "latitude": "nom"}}},
        {"keep": ["n", "nom"], "generalise": {"n": {"grid": 9, "latitude": "nom"}, "nom": "year"}},
        {"keep": ["n", "m"], "generalise": {"n": {"grid": 9, "latitude": "m"}}, "top": {"m": 50}},
        {"keep": ["nom"], "k": {"at_least": 1, "over": ["nom"]}},
        {"keep": ["nom"], "k": {"at_least": 5, "over": ["jour"]}},
        {"keep": ["nom"], "l": {"at_least": 2, "of": "nom"}},
        {"keep": ["nom"], "k": {"at_least": 5, "over": ["nom"]}, "l": {"at_least": 2, "of": "nom"}},
        {"keep": ["nom", "n"], "cells": {"dimensions": {"nom": None}, "count": "nom", "at_least": 5}},
        {"keep": ["nom", "n"], "cells": {"dimensions": {}, "count": "n", "at_least": 5}},
        {"keep": ["nom", "n"], "k": {"at_least": 5, "over": ["n"], "of": "n"}},
        {"keep": ["nom", "n"], "k": {"at_least": 5, "over": ["n"], "of": "nom"}, "generalise": {"nom": "departement"}},
        {"keep": ["nom", "n", "part"], "cells": {"dimensions": {"nom": None}, "count": "n", "at_least": 5}},
        {"keep": ["nom", "n"], "top": {"n": 9}, "cells": {"dimensions": {"nom": None}, "count": "n", "at_least": 5}},
        {"keep": ["nom", "n", "n_marker"], "cells": {"dimensions": {"nom": None}, "count": "n", "at_least": 5}},
    ],
)
def test_a_contradictory_edition_is_refused_at_load(table):
    with pytest.raises(ValidationError):
        EditionTable.model_validate(table)


POLICY = """owner: o
editions:
  study:
    t:
      keep: [nom, n]
      pseudonymise: {nom: eau}
    u:
      keep: [nom]
      pseudonymise: {nom: eau}
grants:
  - {to: "user:ana", edition: study, purposes: [eau], until: 2027-01-01, why: "convention 12"}
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("purposes: [eau]", "purposes: any", "p.yaml:11: grant 1 is of 'study', whose pseudonyms are for the purpose"),
        ("purposes: [eau]", "purposes: [eau, air]", "expected purposes: [eau]"),
        ("purposes: [eau]", "purposes: [air]", "p.yaml:11: "),
        (
            "nom: eau}\n    u",
            "nom: air}\n    u",
            "p.yaml:9: edition 'study': pseudonyms for 'eau' beside those for 'air'",
        ),
        (
            "keep: [nom, n]\n",
            "keep: [nom, n]\n      drop: [x, n]\n",
            "p.yaml:6: 'editions.study.t': column 'n' is both",
        ),
        ("keep: [nom, n]\n", "keep: [nom, n]\n      rename: {x: y}\n", "p.yaml:6: 'editions.study.t': column 'x' is"),
        (
            "keep: [nom, n]\n",
            "keep: [nom, n]\n      top: {n: 1}\n      bottom: {n: 2}\n",
            "p.yaml:7: 'editions.study.t'",
        ),
        (
            "keep: [nom, n]\n",
            "keep: [nom, n]\n      generalise: {n: week}\n",
            "p.yaml:6: 'editions.study.t.generalise.n': expected year, quarter, month, departement, epci",
        ),
        (
            "keep: [nom, n]\n",
            "keep: [nom, n]\n      k:\n        at_least: 5\n        over: [COM]\n",
            "p.yaml:8: 'editions.study.t': column 'COM' is a quasi-identifier of 'k' that is not kept; keep it, or",
        ),
        (
            "keep: [nom, n]\n      pseudonymise: {nom: eau}\n    u",
            "keep: [nom, n,\n        p]\n      cells: {dimensions: {nom: }, count: n, at_least: 5}\n    u",
            "p.yaml:6: 'editions.study.t': column 'p' stands beside the hidden count, and may give it back; list",
        ),
    ],
)
def test_what_a_policy_says_wrongly_of_its_editions_is_told_with_its_line(old, new, said):
    assert parse_yaml(POLICY, "p.yaml", Policy).editions["study"]["t"].purpose == "eau"
    with pytest.raises(DocumentError, match=re.escape(said)):
        parse_yaml(POLICY.replace(old, new), "p.yaml", Policy)


def test_rows_of_small_classes_are_left_out_by_one_statement():
    made = sql(
        keep=["nom", "jour", "n"],
        pseudonymise={"nom": "etude"},
        generalise={"jour": "year"},
        rename={"jour": "annee"},
        top={"n": 90},
        where="n > 0",
        k={"at_least": 5, "over": ["jour", "n"]},
    )
    assert made == (
        'WITH _form AS NOT MATERIALIZED (\nSELECT CAST("nom" AS VARCHAR) AS "nom", year("jour") AS "jour", '
        'CASE WHEN "n" > 90 THEN CAST(90 AS BIGINT) ELSE "n" END AS "n" FROM src WHERE (\nn > 0\n)\n), '
        '_small AS (\nSELECT "jour", "n" FROM _form GROUP BY ALL HAVING count(*) < 5\n)\n'
        'SELECT pseudonym(CAST(_form."nom" AS VARCHAR)) AS "nom", _form."jour" AS "annee", _form."n" AS "n" '
        'FROM _form ANTI JOIN _small ON _form."jour" IS NOT DISTINCT FROM _small."jour" '
        'AND _form."n" IS NOT DISTINCT FROM _small."n"\nORDER BY 1, 2, 3'
    )


def pseudonym(key: bytes, table: EditionTable, dataset: str, edition: str) -> str:
    hasher = pseudonymiser(key, scope_of(table, dataset, edition))
    hasher.update(b"80295478500013")
    return hasher.hexdigest()


ONE, TWO = b"1" * 32, b"2" * 32
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
PLAIN = EditionTable(keep=("nom",))
LISTED = EditionTable(keep=("nom",), pseudonymise=("nom",))


def for_purpose(purpose: str) -> EditionTable:
    return EditionTable(keep=("nom",), pseudonymise={"nom": purpose})


def test_two_editions_and_two_keys_give_other_pseudonyms_and_the_same_gives_the_same():
    assert pseudonym(ONE, LISTED, "jeu", "partner") == pseudonym(ONE, LISTED, "jeu", "partner")
    others = [(ONE, "jeu", "partner"), (ONE, "jeu", "open"), (ONE, "autre", "partner"), (TWO, "jeu", "partner")]
    assert len({pseudonym(key, LISTED, dataset, edition) for key, dataset, edition in others}) == 4


@given(NAMES, NAMES, st.tuples(NAMES, NAMES), st.tuples(NAMES, NAMES))
def test_pseudonyms_for_a_purpose_are_equal_exactly_where_the_purpose_is(one, two, here, there):
    same = pseudonym(ONE, for_purpose(one), *here) == pseudonym(ONE, for_purpose(two), *there)
    assert same == (one == two)
    assert pseudonym(ONE, for_purpose(one), *here) != pseudonym(ONE, LISTED, *here)


def test_the_fingerprint_changes_with_the_definition_the_data_the_zones_and_the_key_only_where_it_is_used():
    def of_(table: EditionTable, raw: str, key: bytes, **zones: str) -> str:
        return fingerprint(definition(table), made_with(table, key, {}), raw, zones)

    assert of_(PLAIN, "v1", ONE) == of_(PLAIN, "v1", TWO)
    assert of_(LISTED, "v1", ONE) != of_(LISTED, "v1", TWO)
    assert of_(PLAIN, "v1", ONE) != of_(PLAIN, "v2", ONE)
    assert of_(PLAIN, "v1", ONE) != of_(LISTED, "v1", ONE)
    assert of_(PLAIN, "v1", ONE, epci="cog 2025") != of_(PLAIN, "v1", ONE, epci="cog 2026")


CHANGES = [
    {"rename": {"nom": "x"}},
    {"pseudonymise": ["nom"]},
    {"pseudonymise": {"nom": "etude"}},
    {"pseudonymise": {"nom": "autre"}},
    {"generalise": {"n": {"step": 5}}},
    {"generalise": {"n": {"width": 5}}},
    {"generalise": {"n": {"bands": [5]}}},
    {"generalise": {"n": {"grid": 5, "latitude": "m"}}},
    {"generalise": {"n": {"grid": 6, "latitude": "m"}}},
    {"top": {"n": 5}},
    {"bottom": {"n": 5}},
    {"where": "n > 5"},
    {"k": {"at_least": 5, "over": ["n"]}},
    {"k": {"at_least": 6, "over": ["n"]}},
    {"k": {"at_least": 5, "over": ["n"], "of": "nom"}},
    {"k": {"at_least": 5, "over": ["n"]}, "l": {"at_least": 2, "of": "nom"}},
    {"cells": {"dimensions": {"nom": None}, "count": "n", "values": ["m"], "at_least": 5}},
    {"cells": {"dimensions": {"nom": "Total"}, "count": "n", "values": ["m"], "at_least": 5}},
]


def test_whatever_changes_what_is_published_changes_the_definition_and_the_fingerprint():
    tables = [EditionTable.model_validate({"keep": ["nom", "n", "m"], **change}) for change in ({}, *CHANGES)]
    assert len({definition(table) for table in tables}) == len(tables)
    assert len({fingerprint(definition(table), {}, "v1", {}) for table in tables}) == len(tables)
    left_out = EditionTable(keep=("nom", "n", "m"), drop=("x",))
    assert definition(left_out) == definition(tables[0])


def test_the_definition_of_an_edition_that_an_older_release_built_is_still_the_same():
    table = EditionTable.model_validate(
        {"keep": ["nom", "n"], "pseudonymise": ["nom"], "generalise": {"n": {"step": 5}}}
    )
    said = '{"keep":["nom","n"],"pseudonymise":["nom"],"generalise":{"n":{"step":5.0}},"where":null}'
    assert definition(table) == hashlib.sha256(said.encode()).hexdigest()
    table = EditionTable.model_validate({"keep": ["n"], "k": {"at_least": 5, "over": ["n"]}})
    said = '{"keep":["n"],"pseudonymise":[],"generalise":{},"where":null,"anonymity":{"at_least":5,"over":["n"]}}'
    assert definition(table) == hashlib.sha256(said.encode()).hexdigest()


def test_what_was_made_with_another_key_or_with_nobody_knows_which_is_not_alike():
    def receipt(key: bytes, table: EditionTable = LISTED) -> dict:
        return {"definition": definition(table), "made_with": made_with(table, key, {})}

    assert alike(receipt(ONE), receipt(ONE))
    assert not alike(receipt(ONE), receipt(TWO))
    assert not alike({"definition": definition(LISTED)}, receipt(ONE))
    assert not alike(receipt(ONE), {"definition": definition(LISTED)})
    assert alike(receipt(ONE, PLAIN), receipt(TWO, PLAIN))
    assert ONE.hex() not in str(receipt(ONE))


def test_the_key_file_is_made_once_and_only_its_owner_reads_it(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    path = tmp_path / "keys" / "pseudonym.key"
    key = pseudonym_key(path)
    assert len(key) == 32
    assert pseudonym_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600


MAKER = """
import sys
from pathlib import Path
from policies.keys import pseudonym_key
print("ready", flush=True)
sys.stdin.readline()
print(pseudonym_key(Path(sys.argv[1])).hex())
"""


def test_jobs_that_need_the_key_at_the_same_moment_all_get_the_same_one(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    path = tmp_path / "keys" / "pseudonym.key"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    makers = [
        subprocess.Popen([sys.executable, "-c", MAKER, str(path)], cwd=Path(__file__).parents[1], **pipes)
        for _ in range(6)
    ]
    for maker in makers:
        assert maker.stdout.readline() == "ready\n"
    for maker in makers:
        maker.stdin.write("\n")
        maker.stdin.flush()
    given = {maker.communicate(timeout=60)[0] for maker in makers}
    assert given == {pseudonym_key(path).hex() + "\n"}
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("step", ["token_hex", "link"])
def test_a_key_that_another_job_made_meanwhile_is_neither_emptied_nor_replaced(tmp_path, monkeypatch, step):
    monkeypatch.delenv(VARIABLE, raising=False)
    path = tmp_path / "pseudonym.key"
    others = []
    module = {"token_hex": secrets, "link": os}[step]
    real = getattr(module, step)

    def interrupted(*arguments):
        monkeypatch.setattr(module, step, real)
        others.append(pseudonym_key(path))  # the other job comes and goes within this step of ours
        return real(*arguments)

    monkeypatch.setattr(module, step, interrupted)
    assert [pseudonym_key(path)] == others == [pseudonym_key(path)]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"hunter2", b"\xff\xfe"])
def test_a_key_file_of_another_form_is_refused_by_name(tmp_path, monkeypatch, content):
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / "k").write_bytes(content)
    with pytest.raises(DocumentError, match=f"{tmp_path}/k: expected a key"):
        pseudonym_key(tmp_path / "k")


def test_a_key_of_another_form_is_refused_without_being_shown(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "hunter2")
    with pytest.raises(DocumentError) as caught:
        pseudonym_key(tmp_path / "k")
    assert VARIABLE in str(caught.value)
    assert "hunter2" not in str(caught.value)
