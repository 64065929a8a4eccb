"""What the page of a dataset says of the tables that it joins with."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from fixtures_portal import COMMUNES, SUBVENTIONS, commit, policy, write

from catalog.entries import EVERYONE, entries
from catalog.joins.sketches import place, sketch
from catalog.web.joined import SHOWN, Joined, percent

CODES = [f"76{number:03d}" for number in range(1, 400, 3)]


@pytest.fixture
def coded(open_lab):
    """The portal's lab, its communes and subventions with codes, one of them more than the other has."""
    write(open_lab.root, "communes", COMMUNES, policy("contours", ["insee"]))
    commit(open_lab, "communes", "open", "contours", pa.table({"insee": CODES}), [("insee", "VARCHAR")], {})
    paid = pa.table({"code_commune": [*CODES[:50] * 2, "99999"], "montant": [1.0] * 101})
    write(open_lab.root, "subventions", SUBVENTIONS, policy("versements", ["code_commune", "montant"]))
    types = [("code_commune", "VARCHAR"), ("montant", "DOUBLE")]
    commit(open_lab, "subventions", "open", "versements", paid, types, {"raw_version": 0})
    write(open_lab.root, "secrets", COMMUNES, policy("contours", ["insee"], "group:agents", "until: 2999-01-01, "))
    commit(open_lab, "secrets", "open", "contours", pa.table({"insee": CODES}), [("insee", "VARCHAR")], {})
    return open_lab


def section(page):
    return page.split('id="joins"')[1].split("</section>")[0]


def sketch_all(lab, principals=EVERYONE):
    for entry in entries(lab, principals):
        for name in entry.resources:
            sketch(lab, entry, name)


def test_the_page_says_what_it_joins_with_on_which_columns_and_how(coded, portal):
    sketch_all(coded)
    told = section(portal.http.get("/datasets/subventions").text)
    assert 'href="/datasets/communes"' in told
    assert "versements.code_commune avec communes.contours.insee" in told
    assert "98 % des codes de code_commune sont dans communes.insee." in told
    assert "SELECT *\nFROM subventions.versements AS a\nJOIN communes.contours AS b ON a.code_commune = b.insee" in told
    assert "partage à l’identique : Open Database License 1.0" in told
    assert "à comparer" not in told
    english = section(portal.http.get("/datasets/communes?lang=en").text)
    assert "98% of the codes of subventions.code_commune are in insee." in english
    assert "Several rows there have the same code" in english


def test_what_is_not_granted_is_not_joined_with_even_where_its_sketch_lies_there(coded, portal):
    sketch_all(coded, frozenset({"everyone", "group:agents"}))
    assert "secrets" not in portal.http.get("/datasets/communes").text


def test_tables_are_read_in_the_background_and_the_page_says_how_many_are_left(coded):
    shown = entries(coded, EVERYONE)
    joined = Joined(coded)
    assert joined.of(shown, "communes").left == 2
    joined.wait()
    found = joined.of(shown, "communes")
    assert (found.left, [join.other.entry.slug for join in found.joins]) == (0, ["subventions"])
    assert joined.of(shown, "communes").joins[0] is found.joins[0]  # they are not compared again
    assert joined.of(entries(coded, EVERYONE), "subventions").left == 0


def test_a_table_that_cannot_be_read_is_told_in_the_log_and_the_others_are_compared(coded, caplog):
    shown = entries(coded, EVERYONE)
    (path,) = coded.lake.files("communes", "open", "contours", shown[0].current.resources["contours"])
    path.unlink()
    joined = Joined(coded)
    joined.of(shown, "subventions")
    joined.wait()
    found = joined.of(shown, "subventions")
    assert (found.left, found.joins) == (0, ())
    assert any("communes.contours: is not compared" in record.getMessage() for record in caplog.records)
    assert place(coded, shown[1], "versements").is_file()


def test_a_new_snapshot_is_compared_anew(coded):
    joined = Joined(coded)
    joined.of(entries(coded, EVERYONE), "communes")
    joined.wait()
    commit(coded, "communes", "open", "contours", pa.table({"insee": ["a1", "b2", "c3"]}), [("insee", "VARCHAR")], {})
    shown = entries(coded, EVERYONE)
    assert joined.of(shown, "subventions").left == 1
    joined.wait()
    assert joined.of(shown, "subventions").joins == ()


def test_a_page_tells_a_few_joins_and_how_many_more_there_are(coded, portal):
    for number in range(SHOWN + 3):
        slug = f"copie{number:02d}"
        write(coded.root, slug, COMMUNES, policy("contours", ["insee"]))
        commit(coded, slug, "open", "contours", pa.table({"insee": CODES}), [("insee", "VARCHAR")], {})
    sketch_all(coded)
    told = section(portal.http.get("/datasets/communes").text)
    assert len(re.findall("<details>", told)) == SHOWN
    assert "Et 4 autres jointures." in told


@pytest.mark.parametrize(
    ("share", "told"), [(1.0, "100"), (0.9996, "99,9"), (0.9951, "99,5"), (0.989, "99"), (0.5, "50"), (0.0049, "0")]
)
def test_a_share_is_never_rounded_to_all(share, told):
    assert percent(share, "fr") == told
