"""Packages through the allow-list: a real index on loopback, the real service on its socket, and pip in a real jail."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import threading
import zipfile
from dataclasses import dataclass, field

import httpx
import pytest
from fixtures_hub import hub_lab, serving
from fixtures_sandbox import profile_for, run, run_profile
from hypothesis import given
from hypothesis import strategies as st

from policies.audit.reading import told
from policies.errors import DocumentError, RemoteError
from sandbox.inside.forward import SOCKET
from sandbox.packages.fetch import Fetch
from sandbox.packages.index import JSON, Offer, offers, page
from sandbox.packages.names import normalised, version_of
from sandbox.packages.service import PREFIX, offering, python_of, with_packages
from sandbox.packages.settings import PackagesSettings
from sandbox.settings import SandboxSettings


def wheel(name: str, version: str, code: str, needs: str = "") -> bytes:
    made = io.BytesIO()
    info = f"{name}-{version}.dist-info"
    meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + (f"Requires-Dist: {needs}\n" if needs else "")
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(f"{name}.py", code)
        archive.writestr(f"{info}/METADATA", meta)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return made.getvalue()


@dataclass
class Index:
    """Answers what it is told to, by path, and keeps what it was asked."""

    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def put(self, path: str, body: bytes, status: int = 200, **headers: str) -> None:
        said = {"Content-Type": "text/html", **{name.replace("_", "-"): value for name, value in headers.items()}}
        self.answers[path] = (status, said, body)

    def offer(self, name: str, version: str, code: str = "", needs: str = "", sha256: str | None = None) -> bytes:
        """A wheel, and the page of a project with it alone."""
        content = wheel(name, version, code, needs)
        digest = hashlib.sha256(content).hexdigest() if sha256 is None else sha256
        file = f"{name}-{version}-py3-none-any.whl"
        self.put(f"/f/{file}", content)
        self.put(f"/simple/{normalised(name)}/", f'<a href="../../f/{file}#sha256={digest}">{file}</a>'.encode())
        return content


@pytest.fixture
def index():
    made = Index()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            made.asked.append(self.path)
            status, headers, body = made.answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture
def allowed(lab, index):
    """The lab, with two packages allowed from that index."""
    lab.settings["packages"] = {
        "allow": ["Demo_Pkg", "needed"],
        "index": f"{index.url}/simple/",
        "files": [],
        "allow_hosts": ["127.0.0.1"],
    }
    return lab


@pytest.fixture
def ask(allowed):
    """A GET on the socket of ada."""
    with offering(allowed, "ada") as socket, httpx.Client(transport=httpx.HTTPTransport(uds=str(socket))) as client:
        yield lambda path: client.get(f"http://packages{path}")


def lines(lab):
    return [
        (one.event.what, one.event.who, one.event.reason, one.event.sha256)
        for one in told(lab.var / "audit")
        if one.event.door == "packages"
    ]


def href(page_: str) -> str:
    return page_.partition('href="')[2].partition("#")[0]


def test_pip_installs_what_is_allowed_with_what_it_needs_and_the_log_has_it(allowed, index):
    content = index.offer("demo_pkg", "1.2", "import needed\nsaid = needed.said", needs="needed>=1")
    index.offer("needed", "1.0", "said = 'from the index'")
    settings = allowed.section("sandbox", SandboxSettings)
    script = (
        "/opt/venv/bin/python /opt/datalab-scripts/forward.py & "
        "until (exec 3<>/dev/tcp/127.0.0.1/3141) 2>/dev/null; do sleep .05; done; "
        "/opt/venv/bin/python -m pip install -q demo-pkg && "
        "/opt/venv/bin/python -c 'import demo_pkg; print(demo_pkg.said)'; kill %1"
    )
    with offering(allowed, "ada") as socket:
        jail = with_packages(profile_for(allowed, "/bin/bash", "-c", script), socket, python_of(allowed, settings))
        said = run_profile(jail)
    assert (said.out, said.err) == ("from the index\n", ""), said
    assert ("open", "user:ada", "package demo-pkg 1.2: demo_pkg-1.2-py3-none-any.whl", sha(content)) in lines(allowed)
    assert len(lines(allowed)) == 2
    # It stays in the home, and is there without an index, too
    again = run(allowed, "/bin/ls", f"{PREFIX}/lib/{python_of(allowed, settings)}/site-packages")
    assert "demo_pkg.py" in again.out


PACKAGES = """
[packages]
allow = ["demo-pkg"]
index = "{url}/simple/"
files = []
allow_hosts = ["127.0.0.1"]
"""


def test_a_sandbox_of_the_hub_has_it_too_and_opens_with_the_start_page(index, tmp_path_factory):
    content = index.offer("demo_pkg", "1.2", "said = 'from the index'")
    lab, _ = hub_lab(tmp_path_factory.mktemp("p") / "lab", PACKAGES.format(url=index.url))
    with serving(lab) as served:
        ada = served.login("ada")
        served.start(ada, "ada")
        token = served.token(ada, "ada")
        said = served.run(
            "ada",
            token,
            "%pip install -q demo-pkg other\n%pip install -q demo-pkg\nimport demo_pkg; print(demo_pkg.said)",
        )
        assert "from the index" in said
        first = ada.get("/user/ada/")
        assert first.headers["location"].split("?")[0] == "/user/ada/lab/tree/Bienvenue.md"
    assert ("open", "user:ada", "package demo-pkg 1.2: demo_pkg-1.2-py3-none-any.whl", sha(content)) in lines(lab)
    assert ("deny", "user:ada", "other: not in [packages] allow", None) in lines(lab)


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_without_an_allow_list_there_is_no_index_and_no_socket(lab):
    with offering(lab, "ada") as socket:
        assert socket is None


@pytest.mark.parametrize("name", ["*", "sci*", "a b", "", "-x", "x/../y", "é"])
def test_an_allow_list_has_names_and_no_patterns(lab, name):
    lab.settings["packages"] = {"allow": [name]}
    with pytest.raises(DocumentError):
        lab.section("packages", PackagesSettings)


def test_a_page_offers_our_addresses_alone_and_a_file_comes_once_from_the_index(ask, index, allowed):
    content = index.offer("demo_pkg", "1.2")
    for name in ("demo-pkg", "Demo.Pkg", "DEMO_PKG"):
        answer = ask(f"/simple/{name}/")
        assert answer.status_code == 200
        assert index.url not in answer.text
    for _ in range(2):
        assert ask(href(answer.text)).content == content
    assert index.asked == ["/simple/demo-pkg/", "/f/demo_pkg-1.2-py3-none-any.whl"]
    assert [line[0] for line in lines(allowed)] == ["open", "open"]  # each of them is written down


@pytest.mark.parametrize(
    "path",
    [
        "/simple/other/",
        "/simple/demo-pkgs/",
        "/simple/*/",
        "/simple/..%2Fdemo-pkg/",
        "/simple/demo-pkg%2F..%2Fother/",
        "/simple/demo-pkg%00/",
        "/simple/demo-pkg%0d%0aX-A:b/",
        "/simple/%C3%A9/",
        "/simple/",
        "/",
        "/f/demo_pkg-1.2-py3-none-any.whl",
        "/files/other/{sha}/demo_pkg-1.2-py3-none-any.whl",
        "/files/demo-pkg/{sha}/..%2F..%2Fetc%2Fpasswd",
        "/files/demo-pkg/{sha}/other-1.0-py3-none-any.whl",
        "/files/demo-pkg/" + "0" * 64 + "/demo_pkg-1.2-py3-none-any.whl",
        "/files/demo-pkg/..%2F..%2Fkeys%2Faudit.key/demo_pkg-1.2-py3-none-any.whl",
    ],
)
def test_nothing_else_is_there(ask, index, path):
    content = index.offer("demo_pkg", "1.2")
    index.put("/simple/other/", b"secret")
    answer = ask(path.replace("{sha}", sha(content)))
    assert answer.status_code in (403, 404)
    assert b"secret" not in answer.content
    assert set(index.asked) <= {"/simple/demo-pkg/"}


def test_a_name_that_is_refused_is_written_down_once_and_a_loop_does_not_fill_the_log(ask, allowed):
    for _ in range(3):
        assert ask("/simple/other/").status_code == 403
    assert lines(allowed) == [("deny", "user:ada", "other: not in [packages] allow", None)]
    for number in range(150):
        ask(f"/simple/other{number}/")
    assert len(lines(allowed)) == 100


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/demo_pkg-1.2-py3-none-any.whl#sha256={sha}",
        "//evil.example/demo_pkg-1.2-py3-none-any.whl#sha256={sha}",
        "http://127.0.0.1:1/demo_pkg-1.2-py3-none-any.whl#sha256={sha}",
        "http://127.0.0.1@evil.example/demo_pkg-1.2-py3-none-any.whl#sha256={sha}",
        "file:///etc/demo_pkg-1.2-py3-none-any.whl#sha256={sha}",
        "../../f/demo_pkg-1.2-py3-none-any.whl",
        "../../f/demo_pkg-1.2-py3-none-any.whl#md5={sha}",
        "../../f/other-1.2-py3-none-any.whl#sha256={sha}",
        "../../f/demo_pkg-1.2.exe#sha256={sha}",
    ],
)
def test_a_page_that_links_elsewhere_or_without_a_hash_offers_nothing(ask, index, link):
    content = index.offer("demo_pkg", "1.2")
    index.put("/simple/demo-pkg/", f'<a href="{link.replace("{sha}", sha(content))}">x</a>'.encode())
    answer = ask("/simple/demo-pkg/")
    assert (answer.status_code, "href" in answer.text) == (200, False)
    assert ask(f"/files/demo-pkg/{sha(content)}/demo_pkg-1.2-py3-none-any.whl").status_code == 404


def test_a_file_with_another_hash_is_not_passed_on_and_not_kept(ask, index, allowed):
    index.offer("demo_pkg", "1.2", sha256="0" * 64)
    answer = ask(href(ask("/simple/demo-pkg/").text))
    assert (answer.status_code, "has not the SHA-256" in answer.text) == (502, True)
    assert list((allowed.var / "packages").iterdir()) == []
    assert lines(allowed) == []


def test_a_kept_file_that_was_changed_is_fetched_anew(ask, index, allowed):
    content = index.offer("demo_pkg", "1.2")
    at = href(ask("/simple/demo-pkg/").text)
    ask(at)
    (allowed.var / "packages" / sha(content)).write_bytes(b"other")
    assert ask(at).content == content


def test_a_file_that_is_too_large_is_not_passed_on(allowed, index):
    allowed.settings["packages"]["size"] = 1024
    index.offer("demo_pkg", "1.2", "x" * 5000)
    with offering(allowed, "ada") as socket, httpx.Client(transport=httpx.HTTPTransport(uds=str(socket))) as client:
        answer = client.get("http://packages" + href(client.get("http://packages/simple/demo-pkg/").text))
    assert (answer.status_code, "more than 1024 bytes" in answer.text) == (502, True)
    assert list((allowed.var / "packages").iterdir()) == []


@pytest.mark.parametrize(
    "to", ["https://evil.example/x", "http://127.0.0.1:1/x", "file:///etc/passwd", "//evil.example/"]
)
def test_a_redirect_to_another_host_is_not_followed(ask, index, to):
    index.put("/simple/demo-pkg/", b"", 302, Location=to)
    answer = ask("/simple/demo-pkg/")
    assert (answer.status_code, "not on a host of the index" in answer.text) == (502, True)


def test_a_redirect_on_the_same_host_is_followed_and_a_loop_ends(ask, index):
    index.offer("needed", "1.0")
    index.answers["/elsewhere/"] = index.answers["/simple/needed/"]
    index.put("/simple/needed/", b"", 301, Location="/elsewhere/")
    index.put("/simple/demo-pkg/", b"", 301, Location="/simple/demo-pkg/")
    assert ask("/simple/needed/").status_code == 200
    assert "redirects more than" in ask("/simple/demo-pkg/").text


def test_an_index_on_an_inner_address_is_meant_or_refused(allowed, index):
    index.offer("demo_pkg", "1.2")
    allowed.settings["packages"]["allow_hosts"] = []
    with offering(allowed, "ada") as socket, httpx.Client(transport=httpx.HTTPTransport(uds=str(socket))) as client:
        answer = client.get("http://packages/simple/demo-pkg/")
    assert (answer.status_code, "inner address" in answer.text) == (502, True)
    assert index.asked == []


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"]
)
def test_a_name_that_turns_inner_is_refused_as_it_is_connected(address):
    settings = PackagesSettings(allow=("demo",), index="https://index.example/simple/")
    fetch = Fetch(settings, lambda *_: ["8.8.8.8", address])
    with pytest.raises(RemoteError, match="inner address"), fetch.get("https://index.example/simple/demo/", "*/*", 10):
        pass
    fetch.close()


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (500, {}, b""),
        (200, {"Content-Type": "application/zip"}, b"PK"),
        (200, {"Content-Type": JSON}, b"["),
        (200, {"Content-Type": JSON}, b'{"files": 3}'),
        (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"),
    ],
)
def test_an_index_that_answers_something_else_is_told_of(ask, index, status, headers, body):
    index.put("/simple/demo-pkg/", body, status, **headers)
    assert ask("/simple/demo-pkg/").status_code == 502


def test_the_socket_reaches_no_other_host_whatever_the_request_says(allowed, index):
    index.put("/secret", b"secret")
    import socket as sockets  # noqa: PLC0415

    asked = [
        f"GET {index.url}/secret HTTP/1.1\r\nHost: packages\r\n\r\n",
        f"CONNECT 127.0.0.1:{index.port} HTTP/1.1\r\nHost: 127.0.0.1:{index.port}\r\n\r\n",
        f"GET /secret HTTP/1.1\r\nHost: 127.0.0.1:{index.port}\r\nX-Forwarded-Host: 127.0.0.1:{index.port}\r\n\r\n",
        "GET /simple/demo-pkg/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "POST /simple/demo-pkg/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "GET /simple/\r\n demo-pkg/ HTTP/1.1\r\n\r\n",
    ]
    with offering(allowed, "ada") as path:
        for request in asked:
            with sockets.socket(sockets.AF_UNIX) as connection:
                connection.settimeout(20)
                connection.connect(str(path))
                connection.sendall(request.encode())
                answer = connection.recv(65536)
                assert not answer.startswith(b"HTTP/1.1 200"), request
                assert b"secret" not in answer
    assert "/secret" not in index.asked


def test_a_jail_without_the_service_has_no_way_to_an_index(allowed, index):
    index.offer("demo_pkg", "1.2")
    said = run(
        allowed, "/opt/venv/bin/python", "-m", "pip", "download", "-q", "--retries", "0", "-i", index.url, "demo-pkg"
    )
    assert said.code != 0
    assert index.asked == []
    assert run(allowed, "/bin/ls", SOCKET).code != 0


names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,10}[A-Za-z0-9])?", fullmatch=True)


@given(names, st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}", fullmatch=True))
def test_the_version_of_a_file_is_read_from_its_name(name, version):
    project = normalised(name)
    assert version_of(f"{project.replace('-', '_')}-{version}-py3-none-any.whl", project) == version
    assert version_of(f"{name}-{version}.tar.gz", project) == version
    assert version_of(f"x{name}-{version}.tar.gz", project) is None


@given(st.binary(max_size=300), st.sampled_from([JSON, "text/html"]))
def test_no_page_brings_it_down(content, kind):
    try:
        found = offers("demo", content, kind, "https://index.example/simple/demo/", frozenset({"index.example"}))
    except ValueError:
        return
    assert page("demo", found, "/files")


def test_json_and_html_say_the_same():
    digest = "ab" * 32
    url, hosts = "https://index.example/simple/demo/", frozenset({"index.example", "files.example"})
    at = "https://files.example/demo-1.0-py3-none-any.whl"
    expected = (Offer("demo-1.0-py3-none-any.whl", "1.0", at, digest, ">=3.8", yanked=True),)
    listed = {
        "filename": "demo-1.0-py3-none-any.whl",
        "url": at,
        "hashes": {"sha256": digest},
        "requires-python": ">=3.8",
        "yanked": "broken",
    }
    assert offers("demo", json.dumps({"files": [listed]}).encode(), JSON, url, hosts) == expected
    html = f'<a href="{at}#sha256={digest}" data-requires-python="&gt;=3.8" data-yanked="broken">demo</a>'
    assert offers("demo", html.encode(), "text/html", url, hosts) == expected
    assert 'data-requires-python="&gt;=3.8" data-yanked=""' in page("demo", expected, "/files")
