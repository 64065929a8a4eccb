"""Whose turn it is: nobody waits while a place is free, nobody has more than their share, all come in their order."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.sql.pool import BusyError, Turns


def running(turns: Turns) -> dict[str, int]:
    return dict(sorted(turns.running.items()))


def in_a_loop(test):
    async def run():
        return test()

    return asyncio.run(run())


def test_who_waits_alone_has_no_more_than_their_share():
    def test():
        turns = Turns(engines=4, share=2, queue=9)
        waiting = [turns.enter("a") for _ in range(3)]
        assert [turn.done() for turn in waiting] == [True, True, False]
        assert turns.enter("b").done()

    in_a_loop(test)


def test_a_place_goes_to_whoever_has_the_fewest():
    def test():
        turns = Turns(engines=2, share=2, queue=9)
        first, second, third = (turns.enter("a") for _ in range(3))
        other = turns.enter("b")
        turns.leave("a", first)
        assert (third.done(), other.done()) == (False, True)
        turns.leave("a", second)
        assert third.done()

    in_a_loop(test)


def test_who_gives_up_waiting_takes_nobodys_place():
    def test():
        turns = Turns(engines=1, share=1, queue=2)
        first, second, third = (turns.enter("a") for _ in range(3))
        with pytest.raises(BusyError):
            turns.enter("a")
        turns.leave("a", second)
        turns.leave("a", first)
        assert third.done()
        turns.leave("a", third)
        assert (turns.running, turns.waiting) == ({}, {})

    in_a_loop(test)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_no_place_is_lost_and_none_is_given_twice(steps):
    def test():
        turns = Turns(engines=3, share=2, queue=100)
        held = []
        for who, enters in steps:
            if enters or not held:
                held.append((who, turns.enter(who)))
            else:
                turns.leave(*held.pop(0))
            inside = {one: sum(turn.done() for name, turn in held if name == one) for one in "abc"}
            assert running(turns) == {one: count for one, count in inside.items() if count}
            assert sum(inside.values()) <= 3
            assert max(inside.values()) <= 2
            waits = {name for name, turn in held if not turn.done()}
            assert not waits or sum(inside.values()) == 3 or all(inside[one] == 2 for one in waits)
        for one in held:
            turns.leave(*one)
        assert (turns.running, turns.waiting) == ({}, {})

    in_a_loop(test)
