"""Words that mean the same, from synonyms.txt: the product's own list, and the lab's beside datalab.toml.

One group a line, its terms parted by commas: `vélo, bicyclette`. A term may have several words. `#` starts a comment.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.search.words import SMALL, Word, asked_stems, units
from policies.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from catalog.lab import Lab

FILE = "synonyms.txt"
SHIPPED = Path(__file__).parent / FILE

_LONGEST = 8
_MOST_BYTES = 1_000_000

Term = tuple[Word, ...]
"""The words of a term, without the small ones: `plan local d'urbanisme` → plan, local, urbanisme."""


@dataclass(frozen=True)
class Synonyms:
    """Groups of terms; each term of a group stands for the others."""

    groups: tuple[tuple[Term, ...], ...]

    @cached_property
    def _by_stem(self) -> dict[str, list[tuple[Term, int]]]:
        """The terms, each with the number of its group, by the forms of their first word."""
        found: dict[str, list[tuple[Term, int]]] = {}
        for number, group in enumerate(self.groups):
            for term in group:
                for stem in asked_stems(term[0]):
                    found.setdefault(stem, []).append((term, number))
        return found

    def at(self, asked: Sequence[Word]) -> tuple[int, tuple[Term, ...]]:
        """How many of the first words asked for are a term, the longest there is, and what else it may be called.

        0 and nothing where the words start no term. Small words are to be left out before.
        """
        known = {pair for stem in asked_stems(asked[0]) for pair in self._by_stem.get(stem, ())}
        meant = [(term, number) for term, number in known if _starts_with(asked, term)]
        longest = max((len(term) for term, _ in meant), default=0)
        numbers = {number for term, number in meant if len(term) == longest}
        said = {term for term, _ in meant}
        others = [term for number in sorted(numbers) for term in self.groups[number] if term not in said]
        return longest, tuple(dict.fromkeys(others))


NONE = Synonyms(())


def shipped() -> Synonyms:
    """The product's groups."""
    return Synonyms(_read(SHIPPED))


def synonyms(lab: Lab) -> Synonyms:
    """The product's groups and the lab's. Raises DocumentError naming file and line of what is wrong."""
    own = lab.root / FILE
    return Synonyms((*_read(SHIPPED), *_read(own))) if own.is_file() else shipped()


def parse(text: str, path: Path | str) -> tuple[tuple[Term, ...], ...]:
    """The groups of a synonyms file; `path` names it in errors. Raises DocumentError naming file and line."""
    return tuple(_parsed(text, path))


def _parsed(text: str, path: Path | str) -> Iterator[tuple[Term, ...]]:
    for number, line in enumerate(text.splitlines(), start=1):
        said = line.split("#")[0].strip()
        if not said:
            continue
        group: dict[tuple[str, ...], Term] = {}
        for written in said.split(","):
            term = words_of(written)
            if not 1 <= len(term) <= _LONGEST:
                what = f"{written.strip()!r} has {len(term)} words" if term else "a comma with no word beside it"
                raise DocumentError(
                    f"{path}:{number}: {what}; expected terms of 1 to {_LONGEST} words, parted by commas"
                )
            key = tuple(word.folded for word in term)
            if key in group:
                raise DocumentError(f"{path}:{number}: {written.strip()!r} stands twice in this group; take one away")
            group[key] = term
        if len(group) == 1:
            expected = "expected a group such as `vélo, bicyclette`: two terms or more, parted by commas"
            raise DocumentError(f"{path}:{number}: {said!r} stands alone; {expected}")
        yield tuple(group.values())


def words_of(text: str) -> Term:
    """The words of a term in order, without those that say nothing; all of them where all say nothing."""
    said = [word for unit in units(text) for word in unit]
    return tuple([word for word in said if word.folded not in SMALL] or said)


def _read(path: Path) -> tuple[tuple[Term, ...], ...]:
    try:
        content = path.read_bytes()
        if len(content) > _MOST_BYTES:
            raise DocumentError(f"{path}: {len(content)} bytes; expected {_MOST_BYTES} at most")
        return parse(content.decode("utf-8-sig"), path)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DocumentError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None
    except OSError as error:
        raise DocumentError(f"{path}: cannot be read: {error.strerror}") from None


def _starts_with(asked: Sequence[Word], term: Term) -> bool:
    return len(term) <= len(asked) and all(
        not asked_stems(one).isdisjoint(asked_stems(other)) for one, other in zip(asked, term, strict=False)
    )
