"""A telephone number, as the French write it or international."""

from __future__ import annotations

from ingest.semantics.semantic import GAP, SPACES, Semantic

_BETWEEN = rf"[{SPACES}./-]?"
_NATIONAL = f"[1-9]({_BETWEEN}[0-9]{{2}}){{4}}"
_ABROAD = rf"(\+|00)([124-9][0-9]|3[0-24-9])([{SPACES}.-]?[0-9]){{5,13}}"
_SHORT = "1[578]|11[24-9]|19[167]|116[0-9]{3}|118[0-9]{3}|10[0-9]{2}|3[0-9]{3}"
_GREEN = f"08[0-9]{{2}}({_BETWEEN}[0-9]{{3}}){{2}}"

PHONE = Semantic(
    word="phone",
    said="a telephone number",
    title="Telephone number: `02 35 19 45 45`, `02.35.19.45.45`, `0235194545`, `0800 123 456`, `+33 2 35 19 45 45`, "
    "international with `+` or `00`, or a short French number (`3939`, `112`). Never without its zero.",
    pattern=rf"0{_NATIONAL}|{_GREEN}|(\+|00)33{GAP}(\(0\))?{_BETWEEN}{_NATIONAL}|{_ABROAD}|{_SHORT}",
    names=frozenset(
        {
            "cellphone",
            "fax",
            "gsm",
            "mobile",
            "phone",
            "portable",
            "tel",
            "telecopie",
            "telephone",
            "telephonique",
            "tph",
        }
    ),
    examples=(
        "02 35 19 45 45",
        "02.35.19.45.45",
        "0235194545",
        "02-35-19-45-45",
        "0800 123 456",
        "+33 2 35 19 45 45",
        "+33 (0)2 35 19 45 45",
        "0033235194545",
        "+33235194545",
        "+32 2 123 45 67",
        "3939",
        "112",
        "118218",
    ),
    counterexamples=(
        "235194545",
        "33235194545",
        "02 35 19 45",
        "02351945450",
        "00 00 00 00 00",
        "1234",
        "mairie",
        "+0123456789",
    ),
)
