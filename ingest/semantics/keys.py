"""Control keys: Luhn's, La Poste's and the IBAN's, each once in Python and once in SQL.

The SQL is arithmetic on pairs of digits with a table of 100 sums: about 0.5 s of one core for 1,000,000
SIRETs, wherever in a statement it stands (the engine shares no common expressions within a CASE).
"""

from __future__ import annotations

from ingest.semantics.semantic import Key

_LA_POSTE = 356_000_000
_NIC_DIGITS = 5
_SUMS = [pair % 10 + 2 * (pair // 10) - 9 * (pair // 50) for pair in range(100)]
"""What two digits add to Luhn's sum: the right one as it is, the left one doubled, less 9 where that has two digits."""


def luhn(digits: str) -> bool:
    """True if the digits have Luhn's key and are not all zeros (https://en.wikipedia.org/wiki/Luhn_algorithm)."""
    padded = digits.zfill(len(digits) + len(digits) % 2)
    pairs = [int(padded[place : place + 2]) for place in range(0, len(padded), 2)]
    return sum(_SUMS[pair] for pair in pairs) % 10 == 0 and any(pairs)


def _luhn_sql(number: str, digits: int) -> str:
    terms = " + ".join(f"{_SUMS}[({number} // {100**place}) % 100 + 1]" for place in range((digits + 1) // 2))
    return f"(({terms}) % 10 = 0 AND {number} > 0)"


def _siret(digits: str) -> bool:
    siren = digits[:-_NIC_DIGITS]
    post = int(siren) == _LA_POSTE and sum(int(digit) for digit in digits) % 5 == 0
    return luhn(siren) and (luhn(digits) or post)


def _siret_sql(text: str) -> str:
    number = f"TRY_CAST({text} AS BIGINT)"
    siren = f"({number} // {10**_NIC_DIGITS})"
    total = " + ".join(f"{number} // {10**place} % 10" for place in range(14))
    post = f"CASE WHEN {siren} = {_LA_POSTE} THEN ({total}) % 5 = 0 ELSE false END"
    return f"({_luhn_sql(siren, 9)} AND ({_luhn_sql(number, 14)} OR {post}))"


def _iban(text: str) -> bool:
    return int("".join(str(int(char, 36)) for char in text[4:] + text[:4])) % 97 == 1


def _iban_sql(text: str) -> str:
    turned = f"string_split({text}[5:] || {text}[:4], '')"
    values = f"list_transform({turned}, lambda c: CASE WHEN c <= '9' THEN ascii(c) - 48 ELSE ascii(c) - 55 END)"
    step = "lambda rest, v: (rest * CASE WHEN v > 9 THEN 100 ELSE 10 END + v) % 97"
    return f"(list_reduce({values}, {step}) = 1)"


LUHN_9 = Key(luhn, lambda text: _luhn_sql(f"TRY_CAST({text} AS BIGINT)", 9))
"""A SIREN's (https://www.sirene.fr/sirene/public/variable/siren)."""
SIRET = Key(_siret, _siret_sql)
"""That of its SIREN and its own; for La Poste's establishments also a sum of all digits that is a multiple of 5."""
IBAN = Key(_iban, _iban_sql)
"""ISO 13616: the first four characters put last, letters as 10 to 35, leave 1 when divided by 97 (ISO 7064)."""
