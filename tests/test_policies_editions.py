"""An edition as SQL: pure, so compared with literals; what it does is tested where it is run."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from policies.editions import EditionTable, edition_sql, fingerprint, pseudonymiser
from policies.errors import DocumentError
from policies.keys import VARIABLE, pseudonym_key

COLUMNS = {"nom": "VARCHAR", "jour": "DATE", "montant": "DECIMAL(18,2)"}


def sql(**table) -> str:
    return edition_sql(EditionTable.model_validate(table), COLUMNS, "src", "policies/x.yaml")


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
    )


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"keep": ["nm"]}, "unknown column 'nm'; did you mean 'nom'"),
        ({"keep": ["nom"], "generalise": {"nom": "year"}}, "column 'nom' is VARCHAR; only dates have a year"),
        ({"keep": ["jour"], "generalise": {"jour": {"step": 5}}}, "column 'jour' is DATE; only numbers"),
    ],
)
def test_an_edition_that_cannot_be_built_says_why(table, said):
    with pytest.raises(DocumentError, match=said):
        sql(**table)


@pytest.mark.parametrize(
    "table",
    [
        {"keep": ["nom"], "pseudonymise": ["jour"]},
        {"keep": ["nom"], "pseudonymise": ["nom"], "generalise": {"nom": "year"}},
        {"keep": ["nom", "nom"]},
        {"keep": []},
    ],
)
def test_a_contradictory_edition_is_refused_at_load(table):
    with pytest.raises(ValidationError):
        EditionTable.model_validate(table)


def test_two_editions_and_two_keys_give_other_pseudonyms_and_the_same_gives_the_same():
    def of(key: bytes, edition: str) -> str:
        hasher = pseudonymiser(key, "jeu", edition)
        hasher.update(b"80295478500013")
        return hasher.hexdigest()

    one, two = b"1" * 32, b"2" * 32
    assert of(one, "partner") == of(one, "partner")
    assert len({of(one, "partner"), of(one, "open"), of(two, "partner")}) == 3


def test_the_fingerprint_changes_with_the_definition_the_data_and_the_key_only_where_it_is_used():
    plain = EditionTable(keep=("nom",))
    hidden = EditionTable(keep=("nom",), pseudonymise=("nom",))
    assert fingerprint(plain, "v1", b"1") == fingerprint(plain, "v1", b"2")
    assert fingerprint(hidden, "v1", b"1") != fingerprint(hidden, "v1", b"2")
    assert fingerprint(plain, "v1", b"1") != fingerprint(plain, "v2", b"1")
    assert fingerprint(plain, "v1", b"1") != fingerprint(hidden, "v1", b"1")


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
