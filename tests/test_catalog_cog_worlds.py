"""Commune codes between years, in small worlds whose land is known to the last piece."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

from fixtures_cog import COMMUNES, EVENTS, World, crosswalk, engine, listed
from hypothesis import given, settings
from hypothesis import strategies as st


def merge(world, rng, host, others, _):
    world.merge(host, others[: rng.randint(1, 2)], rng.choice((31, 32, 33)))


def restore(world, rng, host, _, members):
    if not members:
        return
    restored = rng.sample(members, rng.randint(1, len(members)))
    rest = world.land[host] - set().union(*(world.members[host][code].land for code in restored))
    myself = world.members[host].get(host)
    if myself is not None and myself.land <= rest and (rest == myself.land or len(restored) < len(members)):
        restored += rng.choice(([], [host]))
    world.restore(host, restored)


def rename(world, _rng, host, *_):
    world.rename(host)


def restore_with_another(world, _rng, host, _, members):
    if len(members) > 1:
        world.restore_with(host, *members[:2])


def create(world, rng, host, *_):
    pieces = sorted(world.land[host])
    if len(pieces) > 1:
        world.create(host, rng.sample(pieces, rng.randint(1, len(pieces) - 1)))


def divide(world, rng, host, others, _):
    pieces = sorted(world.land[host])
    cut = rng.randint(0, len(pieces))
    if 0 < cut < len(pieces):
        world.divide(host, {others[0]: set(pieces[:cut]), others[1]: set(pieces[cut:])})


def recode(world, rng, host, _, members):
    world.recode(host, rng.choice((41, 50)), rng.choice((*members, world.new_code())))


def recode_and_merge(world, rng, host, others, _):
    code = world.new_code()
    world.recode(host, 41, code)
    world.merge(others[0], [code], rng.choice((31, 32, 33)))


def leave(world, _rng, host, *_):
    world.leave(host)


def join(world, *_):
    world.join()


EXACT = (merge, merge, restore, rename)
ALL = (*EXACT, restore, restore_with_another, create, divide, recode, recode_and_merge, leave, join)


def live(rng, length, kinds):
    """A world in which up to `length` things of these kinds happened, none twice to a commune on one day."""
    world = World()
    for _ in range(rng.randint(4, 6)):
        world.found()
    touched = set()
    for _ in range(length):
        if rng.random() < 0.8:
            world.pass_days(rng.randint(1, 500))
            touched = set()
        free = sorted(set(world.land) - touched)
        if len(free) >= 3:
            before = len(world.rows)
            rng.shuffle(free)
            free.sort(key=lambda code: -len(world.members[code]) * rng.randint(0, 1))
            members = sorted(set(world.members[free[0]]) - set(world.land))
            rng.choice(kinds)(world, rng, free[0], free[1:], members)
            touched |= {code for row in world.rows[before:] for code in (row[3], row[5])}
    world.pass_days(400)
    return world


def worlds_asked(rng, length, kinds):
    """Of one world, some pairs of years: (what the crosswalk says, the land in the one year, in the other)."""
    world = live(rng, length, kinds)
    if not world.rows:
        return
    con = engine(listed(world.rows, EVENTS), listed([("COM", code, None) for code in sorted(world.land)], COMMUNES))
    days = [dt.date.fromisoformat(row[1]) for row in world.rows]
    last = (max(days) - dt.timedelta(1)).year + 1
    years = [year for year in world.years if min(days).year <= year <= last]
    for _ in range(2):
        ends = rng.choice(years), rng.choice(years)
        yield crosswalk(con, *ends), *(world.years[year] for year in ends)


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 25))
def test_whatever_happens_what_is_said_of_a_code_is_true_of_its_land(rng, length):
    for found, before, after in worlds_asked(rng, length, ALL):
        assert set(found) == set(before)
        into = defaultdict(set)
        for code, (to_code, state, _) in found.items():
            if state in {"same", "moved", "merged"}:
                into[to_code].add(code)
        for code, (to_code, state, candidates) in found.items():
            land = before[code]
            assert {other for other in after if after[other] & land} <= candidates
            assert (to_code is None) == (state in {"split", "outside"})
            if to_code is not None:
                assert land <= after[to_code]
                assert (state == "same") <= (code == to_code)
                assert (state == "moved") <= (code != to_code)
            if state in {"same", "moved", "merged"}:
                assert after[to_code] == set().union(*(before[one] for one in into[to_code]))
                assert (len(into[to_code]) > 1) == (state == "merged")


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 25))
def test_mergers_that_come_undone_make_nothing_ambiguous_that_is_not(rng, length):
    for found, before, after in worlds_asked(rng, length, EXACT):
        for code, (_, _, candidates) in found.items():
            assert candidates == {other for other in after if after[other] & before[code]}


def test_a_commune_that_was_merged_and_is_one_again_has_back_its_land_and_nothing_else():
    world = World()
    a, b, c = world.found(), world.found(), world.found()
    world.pass_days(300)
    world.merge(a, [b, c], 32)
    world.pass_days(400)
    world.restore(a, [b])
    world.pass_days(400)
    con = engine(listed(world.rows, EVENTS))
    assert crosswalk(con, 2001, 2002) == told({a: (a, "merged"), b: (a, "merged"), c: (a, "merged")})
    assert crosswalk(con, 2001, 2003) == told({a: (a, "merged"), b: (b, "same"), c: (a, "merged")})
    assert crosswalk(con, 2002, 2003) == told({a: (None, "split", {a, b})})


def test_the_rest_of_a_commune_whose_chief_place_leaves_goes_on_under_another_code():
    """Les Hauts-Talican in 2024: Beaumont is a commune again under the code 60054, the rest goes on as 60694."""
    world = World()
    a, b, c = world.found(), world.found(), world.found()
    world.pass_days(300)
    world.merge(a, [b, c], 32)
    world.pass_days(400)
    world.restore(a, [a])
    world.pass_days(400)
    con = engine(listed(world.rows, EVENTS))
    assert crosswalk(con, 2001, 2003) == told({a: (a, "same"), b: (b, "merged"), c: (b, "merged")})


def test_an_associated_commune_that_follows_nobody_knows_whom_is_split():
    """Lamarche-en-Woëvre in 1983 is associated with Heudicourt or with Nonsard: the events do not say with which."""
    world = World()
    a, b, c = world.found(), world.found(), world.found()
    world.pass_days(300)
    world.merge(a, [b, c], 33)
    world.pass_days(400)
    world.restore_with(a, b, c)
    world.pass_days(400)
    con = engine(listed(world.rows, EVENTS))
    assert crosswalk(con, 2001, 2003) == told({a: (a, "incomplete"), b: (b, "incomplete"), c: (None, "split", {a, b})})


def test_a_commune_that_gets_its_old_code_back_after_a_change_of_code_is_split():
    world = World()
    a, b = world.found(), world.found()
    world.pass_days(300)
    world.merge(a, [b], 32)
    world.pass_days(400)
    world.recode(a, 50, b)
    world.pass_days(400)
    world.restore(b, [a])
    world.pass_days(400)
    con = engine(listed(world.rows, EVENTS))
    assert crosswalk(con, 2003, 2004)[b] == (None, "split", {a, b})
    assert {state for _, state, _ in crosswalk(con, 2001, 2004).values()} == {"split"}


def test_a_code_that_a_new_commune_takes_again_is_another_commune():
    events = [
        ("31", "2000-06-01", "COM", "01001", "COM", "01002"),
        ("31", "2000-06-01", "COM", "01002", "COM", "01002"),
        ("20", "2005-06-01", "COM", "01003", "COM", "01003"),
        ("20", "2005-06-01", "COM", "01003", "COM", "01001"),
    ]
    con = engine(listed(events, EVENTS))
    assert crosswalk(con, 2000, 2006) == told(
        {"01001": ("01002", "merged"), "01002": ("01002", "merged"), "01003": (None, "split", {"01001", "01003"})}
    )
    assert crosswalk(con, 2006, 2000)["01001"] == ("01003", "merged", {"01003"})


def test_land_that_was_in_two_former_communes_which_part_on_one_day_is_split():
    con = engine(
        listed(
            [
                ("31", "2000-06-01", "COM", "01001", "COM", "01002"),
                ("31", "2000-06-01", "COM", "01002", "COM", "01002"),
                ("31", "2001-06-01", "COM", "01002", "COM", "01003"),
                ("31", "2001-06-01", "COM", "01003", "COM", "01003"),
                *(("21", "2005-06-01", "COM", "01003", "COM", code) for code in ("01001", "01002", "01003")),
            ],
            EVENTS,
        )
    )
    assert crosswalk(con, 2000, 2006)["01001"] == (None, "split", {"01001", "01002"})
    assert crosswalk(con, 2000, 2006)["01002"] == ("01002", "incomplete", {"01002"})


def test_land_that_has_left_a_commune_does_not_follow_it_the_next_time_that_it_comes_back():
    world = World()
    a, b = world.found(), world.found()
    for happen in (
        lambda: world.merge(b, [a], 31),
        lambda: world.restore(b, [a]),
        lambda: world.create(a, sorted(world.land[a])[:2]),
        lambda: world.merge(b, ["00003"], 31),
        lambda: world.merge(b, [a], 31),
        lambda: world.restore(b, [a]),
    ):
        world.pass_days(365)
        happen()
    world.pass_days(365)
    con = engine(listed(world.rows, EVENTS))
    assert crosswalk(con, 2004, 2007) == told({a: (a, "same"), b: (b, "merged"), "00003": (b, "merged")})


def test_a_commune_that_takes_in_one_from_outside_the_country_is_incomplete():
    world = World()
    a = world.found()
    world.pass_days(365)
    world.rename(a)
    world.pass_days(365)
    b = world.join()
    world.pass_days(365)
    world.merge(a, [b], 31)
    world.pass_days(365)
    con = engine(listed(world.rows, EVENTS))
    assert crosswalk(con, 2003, 2004) == told({a: (a, "merged"), b: (a, "merged")})
    assert crosswalk(con, 2002, 2004) == told({a: (a, "incomplete")})
    assert crosswalk(con, 2004, 2002) == told({a: (None, "split", {a})})


def told(fates):
    """What `crosswalk` gives where the candidates are the one commune, unless a third says otherwise."""
    return {
        code: (to_code, state, frozenset(*candidates or [{to_code}]))
        for code, (to_code, state, *candidates) in fates.items()
    }
