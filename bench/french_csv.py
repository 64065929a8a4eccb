"""The files that are measured: a large French CSV of 12 columns, its truth, and many small ones. Same bytes each time.

The large one has what goes wrong in French files: codes with leading zeros, SIRET numbers, decimals with a comma, dates
with the day first, `s` for what is secret, quotes, line ends and delimiters inside a text. `truth_sql` gives the values
that were written, typed, without reading any CSV.
"""

from __future__ import annotations

import argparse
import codecs
import random
from pathlib import Path

import duckdb

ROWS_PER_GB = 6_300_000
_SIGNS = {"'": "’", "bons": "bons à 5 000 €", "îlot": "cœur d’îlot"}
_CHUNK = 4 * 2**20
_DEPARTMENTS = [*(f"{number:02d}" for number in [*range(1, 20), *range(21, 96)]), "2A", "2B", "971", "974"]
_NAMES = [
    "Saint-Étienne",
    "Bourg-lès-Valence",
    "L'Haÿ-les-Roses",
    "Château-Thierry",
    "Évry-Courcouronnes",
    "Besançon",
    "Nîmes",
    "Le Havre",
    "Orléans",
    "Fontenay-aux-Roses",
]
_OBJECTS = [
    "Rénovation de l'école primaire",
    'Travaux d\'été : réfection "toiture" ; phase 2',
    "Subvention d'équipement n°%d",
    "Accès handicapé ; rampe\ncôté cour",
    "Marché à bons de commande",
    "Étude préalable - îlot «République»",
    "Mise aux normes électriques",
    "Aménagement de la place de l'Hôtel-de-Ville",
]
_ACTIVITIES = ["01.11Z", "4711D", "84.11Z", "6820A", "56.10A"]


def numbered(rows: int) -> str:
    """A FROM item of one column, `i`: the numbers of a file's rows, from 1."""
    return f"(SELECT range AS i FROM range(1, {rows + 1}))"


def truth_sql(source: str, *, signs: bool = False) -> str:
    """A SELECT of the values of row `i`, in their types, for each row of a FROM item, whose other columns stay.

    With `signs` they are those of the file that has cp1252's own.
    """
    objects = _OBJECTS
    if signs:
        for plain, sign in _SIGNS.items():
            objects = [text.replace(plain, sign) for text in objects]
    return f"""
        SELECT * EXCLUDE (i, d, k), i AS id,
            d || CASE length(d) WHEN 2 THEN lpad(k::VARCHAR, 3, '0') ELSE lpad((k % 100)::VARCHAR, 2, '0') END
                AS code_commune,
            {_one_of(_NAMES, 3)} AS nom_commune,
            lpad({_below(10**14, 4)}::VARCHAR, 14, '0') AS siret,
            {_one_of(_ACTIVITIES, 5)} AS code_naf,
            make_date(2010 + {_below(15, 6)}, 1 + {_below(12, 7)}, 1 + {_below(28, 8)}) AS date_decision,
            ({_below(25_000_000, 9)} * 0.01)::DECIMAL(18, 2) AS montant_eur,
            ({_below(10_000, 10)} * 0.0001)::DECIMAL(18, 4) AS taux,
            (42 + {_below(9_000_000, 11)} * 0.000001)::DECIMAL(18, 6) AS latitude,
            (-4 + {_below(12_000_000, 12)} * 0.000001)::DECIMAL(18, 6) AS longitude,
            CASE WHEN {_below(100, 13)} < 3 THEN 's' WHEN {_below(100, 14)} < 2 THEN NULL
                ELSE {_below(500, 15)}::VARCHAR END AS effectif,
            replace({_one_of(objects, 16)}, '%d', {_below(9_999, 17)}::VARCHAR)
                || ' - ' || {_one_of(_NAMES, 18)} || ' lot ' || {_below(100_000, 19)} AS objet
        FROM (SELECT *, {_one_of(_DEPARTMENTS, 1)} AS d, 1 + {_below(179, 2)} AS k FROM {source})
    """


def _below(bound: int, column: int) -> str:
    """A number that looks random, of the row `i` and the column: the same on any machine, in any order."""
    return f"(hash(i * 32 + {column}) % {bound})::BIGINT"


def _one_of(texts: list[str], column: int) -> str:
    escaped = ", ".join("'" + text.replace("'", "''") + "'" for text in texts)
    return f"[{escaped}][1 + {_below(len(texts), column)}]"


def file_name(rows: int, kind: str) -> str:
    """The name of the file of a kind: `utf8`, `cp1252`, or `signs`, which is cp1252 with signs of 0x80 to 0x9F."""
    return f"french-{rows}-{kind}.csv"


def write_large(folder: Path, rows: int) -> None:
    """Write the file of each kind into `folder`, if it is not there."""
    for kind in ("utf8", "cp1252", "signs"):
        target = folder / file_name(rows, kind)
        if target.exists():
            continue
        part = target.with_suffix(".part")
        _write_utf8(part, truth_sql(numbered(rows), signs=kind == "signs"))
        if kind != "utf8":
            part = _as_cp1252(part)
        part.replace(target)


def _write_utf8(target: Path, truth: str) -> None:
    numbers = ("montant_eur", "taux", "latitude", "longitude")
    french = ", ".join(f"replace({name}::VARCHAR, '.', ',') AS {name}" for name in numbers)
    with duckdb.connect() as con:
        con.execute(
            f"COPY (SELECT * REPLACE ({french}, strftime(date_decision, '%d/%m/%Y') AS date_decision) FROM ({truth}))"
            f" TO '{target}' (FORMAT csv, HEADER, DELIM ';')"
        )


def _as_cp1252(source: Path) -> Path:
    """The same text in cp1252; the file in UTF-8 goes away."""
    target, decoder = source.with_suffix(".recoded"), codecs.getincrementaldecoder("utf-8")()
    with source.open("rb") as read, target.open("wb") as write:
        while chunk := read.read(_CHUNK):
            write.write(decoder.decode(chunk).encode("cp1252"))
    source.unlink()
    return target


def write_small(folder: Path, count: int) -> None:
    """Write `count` files of 5 to 200 rows and 8 columns, each third in cp1252."""
    if folder.exists():
        return
    folder.mkdir()
    chance = random.Random(1)  # noqa: S311  the same files each time
    for number in range(count):
        lines = ["code_commune;nom;date;montant;taux;effectif;lat;lon"]
        for row in range(chance.randint(5, 200)):
            values = (
                f"{chance.randint(1, 95):02d}{chance.randint(1, 999):03d}",
                f"Commune été {row}",
                f"{chance.randint(1, 28):02d}/{chance.randint(1, 12):02d}/2024",
                f"{chance.random() * 1000:.2f}".replace(".", ","),
                f"{chance.random():.4f}".replace(".", ","),
                chance.choice(("s", str(row))),
                f"{45 + chance.random():.6f}".replace(".", ","),
                f"{1 + chance.random():.6f}".replace(".", ","),
            )
            lines.append(";".join(values))
        encoding = "cp1252" if number % 3 == 0 else "utf-8"
        (folder / f"small{number:04d}.csv").write_bytes(("\n".join(lines) + "\n").encode(encoding))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, action="append", default=[])
    parser.add_argument("--small", type=int, default=0)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    for size in asked.rows:
        write_large(asked.folder, size)
    if asked.small:
        write_small(asked.folder / f"small-{asked.small}", asked.small)
