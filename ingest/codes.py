"""Columns whose digits are a name, not a quantity: they stay text, so that 9122 never stands where 09122 was meant."""

from __future__ import annotations

import re
import unicodedata

_CODES = frozenset(
    "ape canton chorus cog com commune cp dep departement ean epci fax finess iban id ident identifiant insee iris isbn"  # noqa: SIM905
    " matricule naf nic num numero phone postal ref reference reg region rib rna rnb siren siret telephone tel tva uai"
    " zip".split()
)
_COUNTS = frozenset({"count", "nb", "nbr", "nbre", "nombre", "total"})
_CODE = "cod"  # CODCOM, CODARR, codgeo: INSEE's own habit
_SIREN, _SIRET = 9, 14


def looks_like_code(name: str, values: list[str]) -> str | None:
    """Why a column of digits is one of codes, or None if it seems to be one of quantities.

    Either a word of its name says so (`code_insee`, `idBeneficiaire`, `CP`), or every value is a valid SIREN or SIRET
    (9 or 14 digits with a Luhn key: https://www.sirene.fr/sirene/public/variable/siren).
    """
    words = _words(name)
    for word in words:
        if (word in _CODES or word.startswith(_CODE)) and _COUNTS.isdisjoint(words):
            return f"digits, but {word!r} in the name says that they are codes"
    for digits, called in ((_SIREN, "SIREN"), (_SIRET, "SIRET")):
        if values and all(len(value) == digits and _luhn(value) for value in values):
            return f"every value is a valid {called}"
    return None


def _words(name: str) -> list[str]:
    """`idBeneficiaire`, `CODE_INSEE`, `Code postal` → their words in small letters without accents."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain)
    return re.findall(r"[a-z]+", split.lower())


def _luhn(digits: str) -> bool:
    if not (digits.isascii() and digits.isdigit()):
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled  # noqa: PLR2004  the sum of two digits
    return total % 10 == 0
