"""Totals at a table's end: kept as data, and told."""

from __future__ import annotations

import json

import pytest

BASE = "code;nom;montant\n76351;Le Havre;12\n76540;Rouen;7\n"


@pytest.mark.parametrize(
    "last",
    [
        ";Total;19",
        "Total;;19",
        ";TOTAL GÉNÉRAL;19",
        "; Sous-total ;19",
        ";Totaux;19",
        ";Grand total;19",
        ";Ensemble;19",
        ";Ensemble du département;19",
        ";Ensemble d’Eure;19",
    ],
)
def test_a_total_in_the_last_row_stays_a_row_and_is_told(folder, last):
    receipt = folder.bring(BASE + last + "\n")
    assert (receipt["rows_out"], receipt["rejected"]) == (3, 0)
    (note,) = receipt["notes"]
    name = next(cell.strip() for cell in last.split(";") if cell)
    assert note == f"the last row, {name!r}, seems to be a total; it is kept as data: leave it out of sums"


def test_several_rows_of_totals_are_told_together(folder):
    (note,) = folder.bring(BASE + ";Sous-total;19\n;Total;19\n")["notes"]
    assert note.startswith("the last 2 rows, 'Sous-total', 'Total', seem to be totals")


@pytest.mark.parametrize(
    "content",
    [
        BASE,
        BASE + "27229;Totalité;3\n",
        BASE + "27229;Ensemble scolaire Saint-Jean;3\n",
        BASE.replace("Le Havre", "Total"),
        BASE.replace("12", "a").replace("7\n", "b\n") + ";Total;c\n",
    ],
)
def test_what_is_no_total_of_numbers_in_the_last_rows_is_not_told(folder, content):
    assert folder.bring(content)["notes"] == []


def test_a_total_without_a_key_is_rejected_and_so_not_told_as_kept(folder):
    receipt = folder.bring(BASE + ";Total;19\n", mode="merge", key=["code"])
    assert (receipt["rows_out"], receipt["rejected"], receipt["notes"]) == (2, 1, [])


def test_the_commands_tell_it(folder, datalab, tmp_path):
    folder.bring(BASE + ";Total;19\n")
    assert "seems to be a total" in " ".join(datalab("receipt", "jeu").out.split())
    path = folder.write("t.csv", BASE + ";Total;19\n")
    assert datalab("convert", str(path), "--out", str(tmp_path / "o")).code == 0
    assert "seems to be a total" in json.loads((tmp_path / "o/t.receipt.json").read_text())["notes"][0]
