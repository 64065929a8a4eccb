"""How messages count."""

from __future__ import annotations

from policies.wording import count_of


def test_only_one_thing_is_named_in_the_singular():
    assert [count_of(number, "table") for number in (0, 1, 2)] == ["0 tables", "1 table", "2 tables"]
    assert [count_of(number, "name is", "names are") for number in (1, 3)] == ["1 name is", "3 names are"]
