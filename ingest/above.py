"""What stands above a table's first row: where it may be the names, or one of them, the file is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.kinds import kinds_of
from policies.errors import ReadingError
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.header import Row


def refuse_passed_over(
    above: Sequence[Row], header: Row, below: Sequence[tuple[str, ...]], width: int, *, headless: bool
) -> None:
    """Raise ReadingError where a row above the header may be the header, or the header no row of a table at all."""
    if width == 2 and [(row.end + 1, row.filled) for row in above] == [(header.start, 1)]:  # noqa: PLR2004
        typed = any(kind is not None for kind in kinds_of(below, width))
        if (headless or not typed) and not above[0].cells[0].startswith("#"):
            raise ReadingError(
                f"line {above[0].start} has one cell and the rows below have two: a title, or a file of one column "
                f"whose values hold a delimiter? declare header_row: {header.start} under read:, or another delimiter"
            )
    doubled = len({cell.strip().casefold() for cell in header.cells}) < len(header.cells)
    for row in above:
        # A title has one cell; half of the width may be the names, and so may be few of them right above data, or
        # groups above names that stand twice
        if row.filled < 2 or row.cells[0].startswith("#"):  # noqa: PLR2004
            continue
        if row.filled * 2 >= width or ((doubled or headless) and row is above[-1]):
            if len(row.cells) != width:
                which = "is the header and" if headless else "may be the header, but"
                otherwise = "" if headless else f", {header.start} if the names stand there"
                raise ReadingError(
                    f"line {row.start} {which} has {count_of(len(row.cells), 'cell')}, the rows below {width}; mend it "
                    f"in the source, or declare header_row under read: (0 reads the rows without names{otherwise})"
                )
            raise ReadingError(
                f"line {row.start} has {row.filled} cells that say something, the rows below {width}; declare "
                f"header_row under read: ({row.start}, with header_rows: 2 if it is only the upper row of the header, "
                f"or {header.start} if the table starts there)"
            )


def refuse_otherwise_parted(
    above: Sequence[Row], first: Row, below: Sequence[tuple[str, ...]], width: int, *, headless: bool
) -> None:
    """Raise ReadingError where the line right above data is as wide as they are by another delimiter.

    Where no column shows that the first row is none of data, it may be one too; but then words are only a title.
    """
    if not above or above[-1].end + 1 != first.start or len(above[-1].cells) != 1:
        return
    if not headless and (width < 3 or any(kind is not None for kind in kinds_of(below, width))):  # noqa: PLR2004
        return
    for other in ";,\t| :~^" if headless else ";,\t|:~^":
        if width <= above[-1].cells[0].count(other) + 1 <= len(first.cells):
            raise ReadingError(
                f"line {above[-1].start} may be the header, parted by {other!r} as the rows below are not; mend it in "
                "the source, or declare header_row: 0 under read: to read the rows without names"
            )
