from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fixtures_portal import COMMUNES, OPEN_TYPES, REJECTED, SUBVENTIONS, VERSEMENTS, Portal, commit, policy, write
from rdflib import Graph
from rdflib.namespace import DCAT, RDF

from catalog.lab import Lab
from catalog.web.serve import serve
from catalog.web.texts import LANGS, TEXTS, choose, counted, number, size
from policies.errors import UsageError

ROOT = Path(__file__).parent.parent
SCRIPT = "<script>alert(1)</script>"


def raw_get(portal, target):
    """GET a target exactly as written: httpx would tidy `..` away."""
    connection = http.client.HTTPConnection("127.0.0.1", portal.port, timeout=20)
    connection.putrequest("GET", target, skip_host=False)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def test_the_list_shows_what_everyone_is_granted_and_nothing_else(portal):
    page = portal.http.get("/").text
    assert "Subventions versées aux associations" in page
    assert "2 jeux de données" in page
    assert "ultraconfidentiel" not in page


def test_the_dataset_page_tells_metadata_columns_preview_versions_and_how_to_query(portal):
    page = portal.http.get("/datasets/subventions").text
    for told in (
        "Région Exemple",
        "SIREN 200053403",
        "Licence Ouverte 2.0",
        "Montant versé",
        "EUR",
        "all 6 values are numbers",
        "1234.5",
        "sha256 abababababab",
        'lab.table("subventions.versements")',
        "SELECT * FROM subventions.versements LIMIT 10;",
        "https://data.exemple.fr/data/subventions/open/versements.parquet",
        "1er mars 2026",
    ):
        assert told in page, told


def test_a_table_shows_how_a_program_asks_where_the_lab_says_where_its_gateway_is(open_lab):
    settings = open_lab.root / "datalab.toml"
    text = settings.read_text()
    settings.write_text(text.replace("[catalog]", '[catalog]\napi = "https://data.exemple.fr/api"', 1))
    running = Portal(Lab.open(open_lab.root))
    try:
        page = running.http.get("/datasets/subventions").text
    finally:
        running.stop()
    assert "https://data.exemple.fr/api/data/subventions/open/versements/rows" in page
    assert 'href="https://data.exemple.fr/api/openapi.json"' in page


def test_the_page_holds_no_dropped_column_no_rejected_row_and_no_path_of_ours(portal):
    page = portal.http.get("/datasets/subventions").text
    for hidden in ("secret", "confidentielle", REJECTED, "/srv/private", str(portal.lab.root)):
        assert hidden not in page, hidden


def test_search_finds_across_accents_and_ranks_titles_first(portal):
    page = portal.http.get("/", params={"q": "SUBVENTION versee"}).text
    assert "1 jeu de données" in page
    both = portal.http.get("/", params={"q": "subventions"}).text
    assert both.index("/datasets/subventions") < both.index("/datasets/communes")


def test_a_search_without_result_says_what_to_do(portal):
    page = portal.http.get("/", params={"q": "introuvable"}).text
    assert "Aucun jeu de données ne répond" in page
    assert "Voir tous les jeux de données" in page


def test_themes_narrow_the_list(portal):
    page = portal.http.get("/", params={"theme": "REGI"}).text
    assert "/datasets/communes" in page
    assert "/datasets/subventions" not in page
    assert portal.http.get("/", params={"theme": "NOPE"}).status_code == 404


def test_long_lists_have_pages(portal):
    for number_ in range(30):
        slug = f"lot{number_:02d}"
        write(portal.lab.root, slug, COMMUNES, policy("contours", ["nom"]))
        commit(portal.lab, slug, "open", "contours", pa.table({"nom": ["a"]}), [("nom", "VARCHAR")], {})
    assert "Page 1 sur 2" in portal.http.get("/").text
    pages = [portal.http.get("/", params={"page": page}).text for page in (1, 2)]
    shown = [set(re.findall(r"/datasets/(\w+)", page)) for page in pages]
    assert [len(slugs) for slugs in shown] == [25, 7]
    assert len(shown[0] | shown[1]) == 32
    for page in ("0", "3", "-1", "x", "1e9", "99999999999999999999"):
        assert portal.http.get("/", params={"page": page}).status_code == 404, page


@pytest.mark.parametrize(
    ("accepted", "lang"), [("en-GB,en;q=0.9", "en"), ("fr", "fr"), ("de,en;q=0.4", "en"), ("", "fr")]
)
def test_the_browser_chooses_the_language(portal, accepted, lang):
    answer = portal.http.get("/datasets/subventions", headers={"Accept-Language": accepted})
    assert f'<html lang="{lang}">' in answer.text
    assert answer.headers["content-language"] == lang


def test_the_reader_chooses_the_language_and_links_keep_it(portal):
    page = portal.http.get("/?lang=en", headers={"Accept-Language": "fr"}).text
    assert "Grants paid to associations" in page
    assert "/datasets/subventions?lang=en" in page
    assert '<span lang="fr">Communes de la région</span>' in page


def test_the_language_link_keeps_the_search(portal):
    assert "/?q=a%26b&amp;lang=en" in portal.http.get("/", params={"q": "a&b"}).text


def test_the_dcat_feed_is_served_by_pages_too_and_a_page_beyond_the_last_is_not_found(portal):
    page = portal.http.get("/catalog.ttl?page=1")
    assert "hydra:PartialCollectionView" in page.text
    assert page.headers["etag"] != portal.http.get("/catalog.ttl").headers["etag"]
    for asked in ("0", "2", "-1", "x"):
        assert portal.http.get(f"/catalog.ttl?page={asked}").status_code == 404


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")  # rdflib's own JSON-LD reader uses it
def test_dcat_is_served_as_turtle_and_json_ld(portal):
    turtle = portal.http.get("/catalog.ttl")
    assert turtle.headers["content-type"] == "text/turtle; charset=utf-8"
    jsonld = portal.http.get("/catalog.jsonld")
    assert jsonld.headers["content-type"] == "application/ld+json"
    graphs = [Graph().parse(data=turtle.content, format="turtle"), Graph().parse(data=jsonld.content, format="json-ld")]
    assert set(graphs[0]) == set(graphs[1])
    assert len(list(graphs[0].subjects(RDF.type, DCAT.Dataset))) == 2
    again = portal.http.get("/catalog.ttl", headers={"If-None-Match": turtle.headers["etag"]})
    assert again.status_code == 304


def test_every_download_that_dcat_names_answers(portal):
    graph = Graph().parse(data=portal.http.get("/catalog.ttl").content, format="turtle")
    urls = [str(url).removeprefix("https://data.exemple.fr") for url in graph.objects(None, DCAT.downloadURL)]
    assert len(urls) == 4
    assert {portal.http.get(url).status_code for url in urls} == {200}
    assert {portal.http.head(url).status_code for url in urls} == {200}


def test_a_download_has_a_name_an_etag_and_ranges(portal, tmp_path):
    answer = portal.http.get("/data/subventions/open/versements.parquet")
    assert answer.headers["content-disposition"] == 'attachment; filename="subventions.versements.open-v0.parquet"'
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    path = tmp_path / "taken.parquet"
    path.write_bytes(answer.content)
    assert pq.read_table(path).num_rows == 6
    etag = {"If-None-Match": answer.headers["etag"]}
    assert portal.http.get("/data/subventions/open/versements.parquet", headers=etag).status_code == 304
    part = portal.http.get("/data/subventions/open/versements.parquet", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"PAR1")


@pytest.mark.parametrize(
    "tricky", ["bytes=99999999-", "bytes=-0", "bytes=5-2", "bytes=a-b", "lines=1-2", "bytes=" + "0-1," * 500]
)
def test_range_tricks_get_a_4xx_or_the_whole_file(portal, tricky):
    answer = portal.http.get("/data/subventions/open/versements.csv", headers={"Range": tricky})
    whole = portal.http.get("/data/subventions/open/versements.csv").content
    assert answer.status_code in {400, 416} or answer.content == whole
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_csv_comes_as_text_with_its_formulas_defused(portal):
    answer = portal.http.get("/data/subventions/open/versements.csv")
    assert answer.headers["content-type"].startswith("text/csv; charset=utf-8")
    assert "'=HYPERLINK(1)" in answer.text


def test_many_readers_of_one_export_all_get_it_whole(portal):
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(raw_get(portal, "/data/communes/open/contours.parquet")))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer[0] for answer in answers} == {200}
    assert len({answer[2] for answer in answers}) == 1


@pytest.mark.parametrize(
    "target",
    [
        "/data/secrets/open/registre.csv",
        "/datasets/secrets",
        "/data/subventions/raw/versements.parquet",
        "/data/subventions/raw/versements.csv",
        "/data/subventions/open/autre.csv",
        "/data/subventions/open/versements.xlsx",
        "/data/subventions/open/versements",
        "/data/subventions/open/.csv",
        "/data/subventions/open/current.json",
        "/data/subventions/open/../raw/versements.csv",
        "/data/subventions/open/..%2f..%2fraw%2fversements.csv",
        "/data/subventions/..%2f..%2f..%2f..%2fetc/passwd.csv",
        "/data/subventions/open/%2e%2e%2f%2e%2e%2fdatalab.toml",
        "/data/..%5c..%5c/open/versements.csv",
        "/data/subventions/open/versements.csv%00.parquet",
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/%2e%2e/lab.py",
        "/datasets/..%2f..%2fdatalab.toml",
        "/datasets/subventions%0d%0aX-Evil:1",
        "/datasets/subventions/",
        "//evil.example/",
        "//evil.example/datasets/subventions",
        "/%5cevil.example/",
        "/datasets/%ff%fe",
        "/" + "a" * 5000,
    ],
)
def test_what_is_not_granted_is_not_there(portal, target):
    status, headers, body = raw_get(portal, target)
    assert status == 404, target
    assert "location" not in {name.lower() for name in headers}
    assert "x-evil" not in {name.lower() for name in headers}
    assert "agent" not in re.sub("agents?[^<]*<", "", body.decode())


def test_a_404_says_what_to_do_in_both_languages(portal):
    page = portal.http.get("/nulle-part").text
    assert "Cette page n’existe pas" in page
    assert "Voir tous les jeux de données" in page
    assert "This page does not exist" in portal.http.get("/nowhere?lang=en").text


def test_a_query_that_is_too_long_is_refused_with_the_limit(portal):
    answer = portal.http.get("/", params={"q": "a" * 201})
    assert answer.status_code == 400
    assert "200" in answer.text
    assert portal.http.get("/", params={"q": "a" * 200}).status_code == 200


@pytest.mark.parametrize("query", ["%ff%fe", "%00", "a&q=b", "%0d%0aSet-Cookie:x", "a" * 60_000, "&" * 3000])
def test_strange_queries_break_nothing(portal, query):
    status, headers, _ = raw_get(portal, f"/?q={query}")
    assert status in {200, 400}
    assert "Set-Cookie" not in headers


def test_only_reading_is_possible(portal):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert portal.http.request(method, "/", content=b"x" * 100_000).status_code == 405


@pytest.mark.parametrize(
    "path",
    ["/", "/datasets/subventions", "/nope", "/catalog.ttl", "/data/subventions/open/versements.csv", "/static/app.css"],
)
def test_every_answer_carries_the_security_headers(portal, path):
    headers = portal.http.get(path).headers
    policy_ = headers["content-security-policy"]
    for rule in (
        "default-src 'none'",
        "style-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ):
        assert rule in policy_
    assert headers["x-content-type-options"] == "nosniff"
    assert "referrer-policy" in headers


@pytest.mark.parametrize("path", ["/", "/?q=a", "/datasets/subventions", "/datasets/communes?lang=en", "/nope"])
def test_no_page_needs_what_its_own_policy_forbids(portal, path):
    page = portal.http.get(path).text
    assert "<script" not in page
    assert " style=" not in page
    assert not re.search(r"\son[a-z]+=", page)
    assert not re.search(r'<(?:link|img)[^>]+(?:href|src)="https?:', page)


def test_script_in_a_description_a_name_a_column_and_a_cell_is_shown_as_text(portal):
    hostile = (
        SUBVENTIONS.replace("Toutes les", f"{SCRIPT} [x](javascript:alert(1)) les")
        .replace("vie associative", f"{SCRIPT}")
        .replace("Région Exemple", SCRIPT)
        .replace("Normandie", SCRIPT)
        .replace("donnees@exemple.fr", 'a"onclick=x@<b>.fr'.replace('"', "'"))
    )
    write(portal.lab.root, "subventions", hostile)
    name = f'{SCRIPT}"'
    table = pa.table({name: [SCRIPT, '" onmouseover="x']})
    commit(portal.lab, "subventions", "open", "versements", table, [(name, "VARCHAR")], {"raw_version": 0})
    for path in ("/", "/datasets/subventions", "/?q=script", f"/?q={SCRIPT}", "/datasets/subventions?lang=en"):
        page = portal.http.get(path)
        assert page.status_code == 200
        assert "<script" not in page.text, path
        assert "&lt;script&gt;" in page.text, path
        assert 'onmouseover="x"' not in page.text
        assert 'href="javascript:' not in page.text
    assert portal.http.get("/catalog.ttl").status_code == 200


def test_an_origin_becomes_a_link_only_when_it_is_a_web_address(portal):
    receipt = {"origin": "javascript:alert(1)", "rows_in": 1, "rows_out": 1, "rejected": 0, "columns": []}
    table = pa.table({"a": ["x"]})
    commit(portal.lab, "subventions", "raw", "versements", table, [("a", "VARCHAR")], receipt)
    commit(portal.lab, "subventions", "open", "versements", table, [("a", "VARCHAR")], {"raw_version": 1})
    page = portal.http.get("/datasets/subventions").text
    assert "javascript:alert(1)" in page
    assert 'href="javascript:' not in page


def test_a_grant_that_ends_takes_the_dataset_away_at_once(portal):
    download = "/data/subventions/open/versements.csv"
    assert portal.http.get(download).status_code == 200
    ended = policy("versements", ["montant"], until="until: 2020-01-01, ")
    write(portal.lab.root, "subventions", SUBVENTIONS, ended)
    for path in (download, "/datasets/subventions"):
        assert portal.http.get(path).status_code == 404
    assert "subventions" not in portal.http.get("/catalog.ttl").text


def test_a_new_commit_is_shown_at_once(portal):
    commit(portal.lab, "subventions", "open", "versements", pa.table({"a": ["neuf"]}), [("a", "VARCHAR")], {})
    assert "neuf" in portal.http.get("/datasets/subventions").text
    assert portal.http.get("/data/subventions/open/versements.csv").text == "a\nneuf\n"


def test_a_broken_descriptor_leaves_its_dataset_out_and_is_told_once(portal, caplog):
    write(portal.lab.root, "communes", "title: [", None)
    for _ in range(3):
        page = portal.http.get("/")
        assert page.status_code == 200
        assert "/datasets/communes" not in page.text
        write(portal.lab.root, "subventions", SUBVENTIONS)  # something else changes: the lab is read again
    told = [record.getMessage() for record in caplog.records if "communes.yaml" in record.getMessage()]
    assert len(told) == 1
    assert "left out of the portal" in told[0]


def test_a_broken_policy_grants_nothing(portal):
    write(portal.lab.root, "communes", COMMUNES, "owner: x\nunknown: 1\n")
    assert portal.http.get("/datasets/communes").status_code == 404
    assert portal.http.get("/datasets/subventions").status_code == 200


def test_lost_data_are_told_as_such_and_the_page_stays(portal):
    (path,) = (portal.lab.lake.edition_path("subventions", "open") / "versements").glob("*.parquet")
    path.unlink()
    page = portal.http.get("/datasets/subventions")
    assert page.status_code == 200
    assert "ne peut pas être lu" in page.text
    answer = portal.http.get("/data/subventions/open/versements.parquet")
    assert answer.status_code == 503
    assert str(portal.lab.root) not in answer.text


def test_a_page_has_its_landmarks_labels_and_captions(portal):
    page = portal.http.get("/datasets/subventions").text
    for needed in (
        'href="#content"',
        '<main id="content"',
        "<caption",
        'scope="col"',
        'scope="row"',
        "<h1>",
        'aria-label="',
    ):
        assert needed in page
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for named in re.findall(r'aria-labelledby="([^"]+)"', page):
        assert named in ids
    assert '<label for="q">' in portal.http.get("/").text


def test_every_text_is_there_in_both_languages_and_used():
    assert TEXTS["fr"].keys() == TEXTS["en"].keys()
    sources = [*(ROOT / "catalog/web").glob("*.py"), *(ROOT / "catalog/web/templates").glob("*.html")]
    sources.append(ROOT / "sandbox/hub/signin.py")  # which names the places that the layout links to
    written = "\n".join(path.read_text(encoding="utf-8") for path in sources if path.name != "texts.py")
    made = re.compile(r"(error_\d+(_do)?|(kind|by|facet|freshness)_\w+|\w+_(one|many))")
    unused = [key for key in TEXTS["fr"] if not made.fullmatch(key) and not re.search(rf"\b{key}\b", written)]
    assert unused == []
    assert all(text.strip() for lang in LANGS for text in TEXTS[lang].values())


def test_numbers_sizes_and_plurals_follow_the_language():
    assert number(1234567, "fr") == "1\u202f234\u202f567"
    assert number(1234567, "en") == "1,234,567"
    assert [counted(value, "row", "fr") for value in (0, 1, 2)] == ["0 ligne", "1 ligne", "2 lignes"]
    assert [counted(value, "row", "en") for value in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]
    assert [size(value, "fr") for value in (0, 999, 1234, 12_345_678)] == [
        "0\u00a0octets",
        "999\u00a0octets",
        "1,2\u00a0ko",
        "12\u00a0Mo",
    ]
    assert choose(None, "en;q=0.2, fr;q=0.1, *;q=9") == "en"
    assert choose("de", "x" * 100_000) == "fr"


def test_a_taken_port_is_named_with_the_way_out(open_lab):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} is taken: `--port 0`"):
            serve(open_lab, port, print)


def test_serve_says_where_it_listens_and_ctrl_c_ends_it_in_order(open_lab):
    program = (
        "import sys, pathlib; from catalog.lab import Lab; from catalog.web.serve import serve; "
        "serve(Lab.open(pathlib.Path(sys.argv[1])), 0, lambda url: print(url, flush=True))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(open_lab.root)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        url = process.stdout.readline().strip()
        port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/", url)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(b"GET /catalog.ttl HTTP/1.0\r\n\r\n")
            answer = client.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"uvicorn" not in answer
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=20)
    assert (process.returncode, said, errors) == (0, "", "")


def test_a_version_says_what_changed_since_the_one_before(portal):
    changes = {
        "rows_added": 1200,
        "rows_removed": 1,
        "columns_added": ["jour"],
        "columns_retyped": {"montant": "A → B"},
    }
    receipt = {"raw_version": 0, "rows_out": 6, "changes": changes}
    commit(portal.lab, "subventions", "open", "versements", VERSEMENTS.drop_columns("secret"), OPEN_TYPES, receipt)
    page = portal.http.get("/datasets/subventions?lang=fr").text
    told = "1 200 lignes de plus<br>1 ligne de moins<br>colonnes nouvelles : jour<br>types changés : montant (A → B)"
    assert told in page.replace("\u202f", " ").replace("\xa0", " ")
    same = {**receipt, "changes": {"rows_added": 0, "rows_removed": 0}}
    commit(portal.lab, "subventions", "open", "versements", VERSEMENTS.drop_columns("secret"), OPEN_TYPES, same)
    assert "<td>nothing</td>" in portal.http.get("/datasets/subventions?lang=en").text


def test_the_page_draws_where_a_table_comes_from_and_what_of_the_lab_reads_it(portal):
    root = portal.lab.root
    assert "Read by" not in portal.http.get("/datasets/subventions?lang=en").text
    (root / "queries").mkdir()
    (root / "queries" / "par <b>an.sql").write_text('SELECT * FROM "subventions@open".versements')
    (root / "queries" / "autre.sql").write_text("SELECT * FROM communes.contours")
    beside = "SELECT * FROM subventions.versements, {}"
    (root / "queries" / "brut.sql").write_text(beside.format('"subventions@raw".versements'))
    (root / "queries" / "secret.sql").write_text(beside.format("secrets.registre"))
    page = portal.http.get("/datasets/subventions?lang=en").text
    flow = page[page.index('<ol class="flow"') : page.index("</ol>", page.index('<ol class="flow"'))]
    said = [re.sub(r"<[^>]+>|\s+", " ", part).split() for part in flow.split("</li>")]
    assert [" ".join(words) for words in said if words] == [
        "Source https://exemple.fr/versements.csv fetched 1 March 2026",
        "Read and proven 7 rows, 1 rejected",
        "Edition open version 0, 6 rows",
        "Read by queries/par &lt;b&gt;an.sql",
    ]
