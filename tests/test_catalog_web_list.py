"""The list of datasets as people search and narrow it, over HTTP."""

from __future__ import annotations

import re

import pytest

from catalog.search.uses import FILE, Uses


def shown(page):
    """The datasets of the list, in order."""
    return re.findall(r'<h3><a href="/datasets/(\w+)', page)


def facet(page, name):
    """The choices of one facet: label → count."""
    part = page.split(f'<h3 id="facet-{name}">')[1].split("<h3 id=")[0].split("</nav>")[0]
    found = re.findall(r"<span>([^<]+)(?:<span class=\"away\">[^<]+</span>)?</span> <span class=\"count\">(\d+)", part)
    return {label: int(count) for label, count in found}


def test_facets_stand_beside_the_list_with_their_counts(portal):
    page = portal.http.get("/").text
    assert facet(page, "theme") == {
        "Économie et finances": 1,
        "Gouvernement et secteur public": 1,
        "Régions et villes": 1,
    }
    assert facet(page, "publisher") == {"IGN": 1, "Région Exemple": 1}
    assert facet(page, "licence") == {"Licence Ouverte 2.0": 1, "Open Database License 1.0": 1}
    assert facet(page, "format") == {"CSV": 2, "GeoParquet": 1, "Parquet": 1}
    assert "Up to date" in facet(portal.http.get("/?lang=en").text, "freshness")
    assert 'id="facet-territory"' not in page  # both lie in one territory: there is nothing to choose


def test_facets_combine_and_each_counts_what_it_would_leave(portal):
    page = portal.http.get("/", params={"theme": "REGI"}).text
    assert shown(page) == ["communes"]
    assert facet(page, "theme")["Économie et finances"] == 1
    assert facet(page, "publisher") == {"IGN": 1} if 'id="facet-publisher"' in page else True
    both = portal.http.get("/", params={"theme": ["REGI", "ECON"]}).text
    assert len(shown(both)) == 2
    assert shown(portal.http.get("/", params={"theme": "REGI", "licence": "LO-2.0"}).text) == []
    assert shown(portal.http.get("/", params={"format": "geoparquet", "q": "communes"}).text) == ["communes"]


def test_links_keep_the_other_facets_the_words_and_the_language(portal):
    page = portal.http.get("/", params={"q": "subvention", "theme": "REGI", "lang": "en"}).text
    assert "/?q=subvention&amp;theme=ECON&amp;theme=REGI&amp;lang=en" in page
    assert re.search(r'href="/\?q=subvention&amp;lang=en"[^>]*aria-current="true"', page)
    assert '<input type="hidden" name="theme" value="REGI">' in page
    assert "/?q=subvention&amp;theme=REGI&amp;lang=fr" in page


def test_every_link_of_a_facet_leads_to_as_many_datasets_as_it_says(portal):
    page = portal.http.get("/").text
    links = re.findall(r'<li><a href="(/\?[^"]+)" rel="nofollow"><span>[^<]+</span> <span class="count">(\d+)', page)
    assert len(links) > 8
    for link, count in links:
        assert len(shown(portal.http.get(link.replace("&amp;", "&")).text)) == int(count), link


def test_what_is_chosen_can_be_taken_back(portal):
    page = portal.http.get("/", params={"q": "communes", "theme": ["REGI", "ECON"]}).text
    chosen = page.split('<ul class="chosen"')[1].split("</ul>")[0]
    assert "retirer ce filtre" in chosen
    assert 'href="/?q=communes&amp;theme=ECON"' in chosen
    assert 'href="/?q=communes"' in chosen


def test_a_misspelt_search_is_put_right_with_a_link(portal):
    page = portal.http.get("/", params={"q": "subvantions", "theme": "ECON"}).text
    assert "Vouliez-vous dire" in page
    assert 'href="/?q=subventions&amp;theme=ECON"' in page


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("theme=NOPE", 404),
        ("licence=NOPE", 404),
        ("publisher=Personne", 200),
        ("territory=%3Cscript%3E", 200),
        ("format=exe", 200),
        ("freshness=never", 200),
        ("publisher=" + "a" * 201, 400),
        ("&".join(f"territory=t{number}" for number in range(21)), 400),
        ("&".join(f"territory=t{number}" for number in range(20)), 200),
        ("theme=&publisher=", 200),
    ],
)
def test_strange_choices_break_nothing(portal, query, status):
    answer = portal.http.get(f"/?{query}")
    assert answer.status_code == status
    assert "<script>" not in answer.text


def test_a_download_is_counted_once_and_without_any_trace_of_the_reader(portal):
    address = "/data/communes/open/contours.csv"
    agent = {"User-Agent": "Curieux/1.0"}
    portal.http.get(address, headers=agent)
    portal.http.head(address, headers=agent)
    portal.http.get(address, headers={**agent, "Range": "bytes=5-9"})
    portal.http.get(address, headers={**agent, "Range": "bytes=0-4"})
    portal.http.get("/data/secrets/open/registre.csv", headers=agent)
    counter = portal.lab.var / FILE
    assert Uses(counter).downloads() == {"communes": 2}
    assert b"Curieux" not in counter.read_bytes()
    assert b"127.0.0.1" not in counter.read_bytes()


def test_the_labs_synonyms_hold_at_once_and_a_wrong_file_is_told_and_changes_nothing(portal, caplog):
    assert shown(portal.http.get("/", params={"q": "frontières"}).text) == []
    (portal.lab.root / "synonyms.txt").write_text("contours, frontières\n", encoding="utf-8")
    assert shown(portal.http.get("/", params={"q": "frontières"}).text) == ["communes"]
    (portal.lab.root / "synonyms.txt").write_text("contours\n", encoding="utf-8")
    assert shown(portal.http.get("/", params={"q": "frontières"}).text) == ["communes"]
    assert any("synonyms.txt:1" in record.getMessage() for record in caplog.records)


def test_the_dataset_page_names_similar_datasets(portal):
    page = portal.http.get("/datasets/communes").text
    assert 'id="similar"' not in page  # subventions is about something else
