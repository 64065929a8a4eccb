"""Suppressed cells, attacked: every published sum is written down and solved, exactly."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policies.editions.cells import Suppressed, UnprotectedError, suppress

T = "Total"


def with_totals(inner: dict[tuple, int], totals: tuple[str | None, ...]) -> dict[tuple, int]:
    """A table's cells with the sums over each dimension that has a total."""
    counts: dict[tuple, int] = {}
    for cell, count in inner.items():
        for whole in product(
            *({here, here if total is None else total} for here, total in zip(cell, totals, strict=True))
        ):
            counts[whole] = counts.get(whole, 0) + count
    return counts


def sums(counts: dict[tuple, int], totals: tuple[str | None, ...]) -> list[dict[tuple, int]]:
    """Each published sum as an equation whose terms come to nothing: its parts, less the total."""
    found: dict[tuple, dict[tuple, int]] = {}
    for cell in counts:
        for at, total in enumerate(totals):
            whole = (*cell[:at], total, *cell[at + 1 :])
            if total is not None and cell != whole and whole in counts:
                found.setdefault((at, whole), {whole: -1})[cell] = 1
    return list(found.values())


def determined(hidden: frozenset[tuple], equations: list[dict[tuple, int]]) -> set[tuple]:
    """The hidden cells that the equations give back, by Gauss and Jordan over the rational numbers."""
    rows = [{cell: Fraction(by) for cell, by in one.items() if cell in hidden} for one in equations]
    rows = [row for row in rows if row]
    solved: dict[tuple, dict[tuple, Fraction]] = {}
    for row in rows:
        for pivot, other in solved.items():
            if pivot in row:
                add(row, other, -row[pivot])
        if row:
            pivot = next(iter(row))
            by = row[pivot]
            one = {cell: value / by for cell, value in row.items()}
            for other in solved.values():
                if pivot in other:
                    add(other, one, -other[pivot])
            solved[pivot] = one
    return {pivot for pivot, row in solved.items() if len(row) == 1}


def add(row: dict[tuple, Fraction], other: dict[tuple, Fraction], by: Fraction) -> None:
    for cell, value in other.items():
        row[cell] = row.get(cell, Fraction(0)) + by * value
        if row[cell] == 0:
            del row[cell]


def given_back(counts: dict[tuple, int], totals: tuple[str | None, ...], made: Suppressed) -> set[tuple]:
    return determined(made.primary | made.secondary, sums(counts, totals))


def test_the_attack_finds_a_cell_that_only_its_row_hides():
    counts = with_totals({("a", "x"): 3, ("a", "y"): 50, ("b", "x"): 40, ("b", "y"): 60}, (T, T))
    alone = frozenset({("a", "x")})
    assert determined(alone, sums(counts, (T, T))) == alone
    # Two of a row hide each other in the row, and their columns give both back
    assert len(determined(alone | {("a", "y")}, sums(counts, (T, T)))) == 2


def test_a_small_cell_takes_the_cheapest_rectangle_with_it():
    counts = with_totals({("a", "x"): 3, ("a", "y"): 50, ("b", "x"): 40, ("b", "y"): 60}, (T, T))
    made = suppress(counts, (T, T), 5)
    assert made.primary == {("a", "x")}
    assert made.secondary == {("a", "y"), ("b", "x"), ("b", "y")}
    assert given_back(counts, (T, T), made) == set()


def test_without_totals_only_the_small_cells_are_suppressed():
    counts = {("a", "x"): 3, ("a", "y"): 50, ("b", "x"): None, ("b", "y"): 0}
    made = suppress(counts, (None, None), 5)
    assert made == Suppressed(primary=frozenset({("a", "x"), ("b", "x"), ("b", "y")}), secondary=frozenset())


def test_a_dimension_without_a_total_needs_no_partner():
    inner = {(year, kind): count for year, kind, count in [("1", "x", 3), ("1", "y", 9), ("1", "z", 8), ("2", "x", 50)]}
    counts = with_totals(inner, (None, T))
    made = suppress(counts, (None, T), 5)
    assert made == Suppressed(primary=frozenset({("1", "x")}), secondary=frozenset({("1", "z")}))


def test_two_empty_cells_do_not_hide_each_other():
    # Both are nothing, and their total says so: they must be hidden with something that leaves room
    counts = with_totals({("a",): 0, ("b",): 0, ("c",): 9, ("d",): 30}, (T,))
    made = suppress(counts, (T,), 5)
    assert made.primary == {("a",), ("b",)}
    assert made.secondary == {("c",)}


def test_one_part_alone_takes_its_total_with_it():
    counts = {("a",): 3, (T,): 3}
    assert suppress(counts, (T,), 5).primary == set(counts)
    counts = with_totals({("a", "x"): 3, ("b", "x"): 20, ("b", "y"): 30}, (T, T))
    made = suppress(counts, (T, T), 5)
    assert ("a", T) in made.primary
    assert given_back(counts, (T, T), made) == set()


def test_a_total_that_is_not_published_costs_nothing_to_hide():
    counts = {("a",): 3, ("b",): 20}
    assert suppress(counts, (T,), 5) == Suppressed(primary=frozenset({("a",)}), secondary=frozenset())


def test_a_small_total_of_which_no_part_is_there_cannot_be_protected_and_is_named():
    counts = {("a", "x"): 20, ("a", T): 20, ("b", T): 3, (T, "x"): 20, (T, T): 23}
    with pytest.raises(UnprotectedError, match=r"the small total \(b, Total\) has no part among the rows"):
        suppress(counts, (T, T), 5)


@st.composite
def tables(draw, dimensions: int, widest: int) -> tuple[dict[tuple, int | None], tuple[str | None, ...]]:
    """A random table, with holes, some dimensions without totals, and some cells that are unknown to begin with."""
    names = [[f"{letter}{at}" for at in range(draw(st.integers(1, widest)))] for letter in "xyz"[:dimensions]]
    counts = st.one_of(st.integers(0, 8), st.integers(0, 60), st.just(0))
    inner = {cell: draw(counts) for cell in product(*names) if draw(st.integers(0, 9)) > 0}
    totals = tuple(draw(st.sampled_from([T, T, T, None])) for _ in names)
    full = with_totals(inner, totals)
    unknown = draw(st.sets(st.sampled_from(sorted(full)), max_size=2)) if full else set()
    return {cell: None if cell in unknown else count for cell, count in full.items()}, totals


def holds(table: tuple[dict[tuple, int | None], tuple[str | None, ...]], at_least: int) -> None:
    counts, totals = table
    made = suppress(counts, totals, at_least)
    assert made.primary == {cell for cell, count in counts.items() if count is None or count < at_least}
    assert made.primary.isdisjoint(made.secondary)
    assert made.secondary <= counts.keys()
    assert given_back(counts, totals, made) == set()


@settings(max_examples=200)
@given(tables(2, 6), st.integers(2, 12))
def test_no_suppressed_cell_of_two_dimensions_can_be_solved_for(table, at_least):
    holds(table, at_least)


@settings(max_examples=100)
@given(tables(3, 4), st.integers(2, 12))
def test_no_suppressed_cell_of_three_dimensions_can_be_solved_for(table, at_least):
    holds(table, at_least)


def possible(hidden: frozenset[tuple], equations: list[dict[tuple, int]], counts: dict[tuple, int], most: int) -> dict:
    """The values that each hidden cell has in all tables of whole numbers from 0 to `most` that agree with the rest."""
    asked = []
    for one in equations:
        rest = -sum(by * counts[cell] for cell, by in one.items() if cell not in hidden)
        asked.append(({cell: by for cell, by in one.items() if cell in hidden}, rest))
    cells, at = sorted(hidden), {}
    found = {cell: set() for cell in cells}

    def agrees(cell: tuple) -> bool:
        whole = [(one, rest) for one, rest in asked if cell in one and one.keys() <= at.keys()]
        return all(sum(by * at[other] for other, by in one.items()) == rest for one, rest in whole)

    def go_on(done: int) -> None:
        if done == len(cells):
            for cell, value in at.items():
                found[cell].add(value)
            return
        for value in range(most + 1):
            at[cells[done]] = value
            if agrees(cells[done]):
                go_on(done + 1)
        del at[cells[done]]

    go_on(0)
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 2, 4, 5, 7, 9]), min_size=6, max_size=6), st.integers(2, 4))
def test_who_knows_that_counts_are_never_negative_still_has_as_many_other_values_as_the_threshold(values, at_least):
    counts = with_totals(dict(zip(product("ab", "xyz"), values, strict=True)), (T, T))
    made = suppress(counts, (T, T), at_least)
    hidden = made.primary | made.secondary
    assume(not any(T in cell for cell in hidden))  # a hidden total has no end, and there are few tables to try
    for told in possible(hidden, sums(counts, (T, T)), counts, 28).values():
        assert len(told) > at_least


def test_the_same_table_in_another_order_is_suppressed_alike():
    inner = {(f"x{i}", f"y{j}"): (i * 7 + j * 5) % 23 for i in range(6) for j in range(6)}
    counts = with_totals(inner, (T, T))
    backwards = dict(reversed(counts.items()))
    assert suppress(counts, (T, T), 6) == suppress(backwards, (T, T), 6)
