"""udata (data.gouv.fr): the file that a dataset's resource links to, with the checksum that the portal says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from fixtures_api import SETTINGS, Asked, Said

from catalog.sources import UdataSource
from ingest.sources.udata import fetch_udata
from policies.errors import SourceError

PAGE = json.loads((Path(__file__).parent / "pages/udata-dataset.json").read_text())
CSV = b"code;nom\n01001;x\n"


class Portal:
    """A portal with the dataset of the page; `changes` are made to its first resource."""

    def __init__(self, home: str, **changes: object) -> None:
        self.resource = {**PAGE["resources"][0], "url": f"{home}/communes.csv", "checksum": self.checksum(), **changes}
        self.file: Said = Said(CSV)

    @staticmethod
    def checksum(kind: str = "sha1", content: bytes = CSV) -> dict[str, str]:
        return {"type": kind, "value": hashlib.new({"sha2": "sha256"}.get(kind, kind), content).hexdigest()}

    def __call__(self, asked: Asked) -> object:
        if asked.path == f"/api/1/datasets/{PAGE['id']}/":
            return {**PAGE, "resources": [self.resource, *PAGE["resources"][1:]]}
        return self.file if asked.path in {"/communes.csv", "/fichier"} else Said({"message": "Not found"}, 404)


@pytest.fixture
def bring(api, tmp_path):
    def run(resource: str = PAGE["resources"][0]["id"], dataset: str = PAGE["id"]):
        return fetch_udata(UdataSource(udata=api.url, dataset=dataset, resource=resource), tmp_path, SETTINGS)

    return run


@pytest.mark.parametrize("kind", ["sha1", "sha2", "sha256", "md5"])
def test_a_resource_is_its_file_and_the_checksum_is_checked(api, bring, kind):
    api.answer = Portal(api.url, checksum=Portal.checksum(kind))
    one = bring()
    assert one.parts[0].path.read_bytes() == CSV
    assert one.parts[0].name == "communes.csv"
    api.answer = Portal(api.url, checksum=Portal.checksum(kind, b"other"))
    with pytest.raises(SourceError, match=rf"communes.csv: its {kind} is [0-9a-f]+, expected [0-9a-f]+"):
        bring()


def test_a_resource_is_known_by_its_title_too_if_no_other_has_the_same(api, bring):
    api.answer = Portal(api.url)
    assert bring(PAGE["resources"][0]["title"]).parts[0].path.read_bytes() == CSV
    api.answer = Portal(api.url, title=PAGE["resources"][1]["title"])
    with pytest.raises(SourceError, match=f"2 resources are called .*{PAGE['resources'][0]['id']}"):
        bring(PAGE["resources"][1]["title"])


def test_a_file_whose_name_has_no_ending_gets_that_of_the_format_that_the_portal_says(api, bring):
    api.answer = Portal(api.url, url=f"{api.url}/fichier", format="CSV")
    assert bring().parts[0].name == "fichier.csv"


def test_without_a_checksum_the_file_is_taken_as_it_is(api, bring):
    api.answer = Portal(api.url, checksum=None)
    assert bring().parts[0].path.read_bytes() == CSV


def test_a_file_that_is_replaced_after_the_portal_was_asked_is_fetched_again(api, bring):
    portal = Portal(api.url, checksum=Portal.checksum(content=b"before"))

    def answer(asked: Asked) -> object:
        said = portal(asked)
        if asked.path == "/communes.csv":
            portal.resource["checksum"] = Portal.checksum()
        return said

    api.answer = answer
    assert bring().parts[0].path.read_bytes() == CSV


def test_a_resource_or_dataset_that_is_gone_is_named(api, bring):
    api.answer = Portal(api.url)
    with pytest.raises(SourceError, match=f"no resource 'x'; choose one by its id: {PAGE['resources'][0]['id']}"):
        bring("x")
    with pytest.raises(SourceError, match="the server answered 404"):
        bring(dataset="autre")
    api.answer = lambda _: Said({"message": "Dataset has been deleted"}, 410)
    with pytest.raises(SourceError, match="the server answered 410"):
        bring()


def test_a_link_to_a_web_page_is_an_error(api, bring):
    api.answer = portal = Portal(api.url, filetype="remote", checksum=None)
    portal.file = Said(b"<!DOCTYPE html><title>Mes fichiers")
    with pytest.raises(SourceError, match="communes.csv: .*HTML page"):
        bring()


@pytest.mark.parametrize("body", [{"resources": None}, [], {"data": []}])
def test_an_answer_that_is_no_dataset_is_an_error(api, bring, body):
    api.answer = lambda _: body
    with pytest.raises(SourceError, match="expected a dataset of udata"):
        bring()
