"""`datalab add`: a file, an address, or a portal's page of a dataset becomes a descriptor and a policy."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml
from fixtures_api import Said
from fixtures_files import zipped

from catalog.model import Dataset
from ingest.add.answers import Answers, answered, asked, usual_of
from ingest.add.found import titled
from ingest.harvest.draft import Draft
from ingest.run import ingest
from policies.errors import UsageError
from policies.model import Policy

SAID = (
    *("--licence", "LO-2.0", "--contact", "Service Données <donnees@region.example>", "--publisher", "Région"),
    *("--theme", "TRAN", "--description", "Les bornes de recharge."),
)
ROWS = (
    "code_insee;nomStation;date_maj;email_contact;longitude;latitude\n"
    "76540;Gare;2024-01-05;a@exemple.fr;1.09;49.44\n"
    "76351;Port;2024-02-07;b@exemple.fr;0.10;49.49\n"
)
UDATA = json.loads((Path(__file__).parent / "pages/harvest-udata.json").read_text())["data"][0]


@pytest.fixture
def lab(folder, api):
    """A lab that may ask the server of the tests."""
    toml = folder.root / "datalab.toml"
    toml.write_text(f'{toml.read_text()}\n[ingest]\nallow_hosts = ["127.0.0.1"]\nretries = 0\n')
    return folder


def descriptor(folder, name, room="datasets"):
    return yaml.safe_load((folder.root / room / f"{name}.yaml").read_text())


def test_a_file_of_the_lab_becomes_a_descriptor_that_says_what_its_rows_say_and_it_can_be_ingested(folder, datalab):
    folder.write("sources/bornes-76.csv", ROWS)
    ran = datalab("add", str(folder.root / "sources/bornes-76.csv"), *SAID, "--open")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[:2] == ["wrote datasets/bornes_76.yaml", "wrote policies/bornes_76.yaml"]
    assert ran.out.splitlines()[-1] == "look at it, then: datalab check bornes_76; datalab ingest bornes_76"
    made = descriptor(folder, "bornes_76")
    assert made["title"] == {"fr": "Bornes 76"}
    assert made["spatial"]["communes"] == ["76351", "76540"]
    assert made["temporal"] == {"start": yaml.safe_load("2024-01-05"), "end": yaml.safe_load("2024-02-07")}
    (resource,) = made["resources"].values()
    assert resource["source"] == {"file": "sources/bornes-76.csv"}
    assert resource["columns"]["code_insee"]["title"] == {"fr": "Code INSEE"}
    assert resource["columns"]["nomStation"]["title"] == {"fr": "Nom station"}
    assert folder.lab.datasets()[1] == []
    (outcome,) = ingest(folder.lab, "bornes_76", lambda _: None)
    assert (outcome.status, outcome.editions) == ("ingested", ("open",))


def test_what_is_personal_is_in_no_edition_and_nobody_is_granted_anything_unasked(folder, datalab):
    folder.write("sources/bornes.csv", ROWS)
    assert datalab("add", str(folder.root / "sources/bornes.csv"), *SAID).code == 0
    text = (folder.root / "policies/bornes.yaml").read_text()
    policy = Policy.model_validate(yaml.safe_load(text))
    assert policy.grants == ()
    assert "email_contact" not in policy.editions["open"]["bornes"].keep
    assert "# left out, as personal: email_contact (email)" in text


def test_a_file_from_elsewhere_is_copied_into_the_lab_and_nothing_there_is_written_over(folder, datalab, tmp_path):
    elsewhere = tmp_path / "bornes.csv"
    elsewhere.write_text(ROWS)
    assert datalab("add", str(elsewhere), *SAID).code == 0
    assert (folder.root / "sources/bornes.csv").read_text() == ROWS
    assert str(tmp_path) not in (folder.root / "datasets/bornes.yaml").read_text()
    again = datalab("add", str(elsewhere), *SAID)
    assert again.code == 1
    assert "bornes: there is a dataset or a draft of that name; say another one with --name" in again.err
    elsewhere.write_text(ROWS.replace("Gare", "Quai"))
    assert "there is a file of that name in the lab" in datalab("add", str(elsewhere), *SAID).err
    named = datalab("add", str(folder.root / "sources/bornes.csv"), *SAID, "--name", "bornes")
    assert "there is a dataset or a draft of that name; say another one with --name" in named.err


def test_what_is_lacking_goes_to_drafts_with_what_is_to_do(folder, datalab):
    folder.write("sources/liste.csv", "a,b\nx,y\n")
    ran = datalab("add", str(folder.root / "sources/liste.csv"), "--licence", "LO-2.0")
    assert ran.code == 1
    assert "wrote drafts/liste.yaml" in ran.out
    assert (
        "it lacks description, publisher, contact, themes, spatial: say --description, --publisher, --contact, "
        "--theme, --territory, or write them in, and move it to datasets/"
    ) in ran.err
    assert "# to do: contact" in (folder.root / "drafts/liste.yaml").read_text()
    assert not (folder.root / "policies/liste.yaml").exists()
    assert folder.lab.slugs == ()


def test_a_file_of_several_tables_becomes_as_many_resources(folder, datalab):
    content = zipped({"stations.csv": ROWS, "mesures.csv": "station,valeur\nGare,1.5\n"})
    folder.write("sources/reseau.zip", content)
    assert datalab("add", str(folder.root / "sources/reseau.zip"), *SAID).code == 0
    resources = descriptor(folder, "reseau")["resources"]
    assert {name: one["read"]["table"] for name, one in resources.items()} == {
        "stations": "stations",
        "mesures": "mesures",
    }
    assert {one.status for one in ingest(folder.lab, "reseau", lambda _: None)} == {"ingested"}


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "empty"), (b"%PDF-1.7 \x00\x01\x02", "liste.csv")],
)
def test_what_is_no_table_is_refused_and_nothing_is_written(folder, datalab, tmp_path, content, said):
    (tmp_path / "liste.csv").write_bytes(content)
    ran = datalab("add", str(tmp_path / "liste.csv"), *SAID)
    assert ran.code == 1
    assert said in ran.err
    assert (
        not list(folder.root.glob("datasets/*"))
        + list(folder.root.glob("drafts/*"))
        + list(folder.root.glob("sources/*"))
    )


def test_an_address_of_a_file_is_fetched_and_stays_the_source(lab, api, datalab):
    api.answer = lambda _: Said(ROWS.encode(), 200, {"Content-Type": "text/csv"})
    ran = datalab("add", f"{api.url}/export/bornes-recharge.csv?x=1", *SAID, "--keyword", "borne", "--keyword", "VE")
    assert (ran.code, ran.err) == (0, "")
    made = descriptor(lab, "bornes_recharge")
    (resource,) = made["resources"].values()
    assert resource["source"] == {"url": f"{api.url}/export/bornes-recharge.csv?x=1"}
    assert made["keywords"] == {"fr": ["borne", "VE"]}
    assert "harvested" not in made


def test_an_address_that_does_not_answer_is_named(lab, api, datalab):
    ran = datalab("add", f"{api.url}/export/bornes.csv", *SAID)
    assert ran.code == 1
    assert f"{api.url}/export/bornes.csv" in ran.err
    assert "404" in ran.err
    assert not (lab.root / "datasets").exists()


def test_an_inner_address_is_refused(folder, api, datalab):
    ran = datalab("add", f"{api.url}/export/bornes.csv", *SAID)
    assert ran.code == 1
    assert "127.0.0.1" in ran.err
    assert api.asked == []


def test_a_portals_page_of_a_dataset_brings_what_the_portal_says_and_asks_for_the_rest(lab, api, datalab):
    told = copy.deepcopy(UDATA)
    told["resources"] = told["resources"][:1]
    told["resources"][0]["checksum"] = None
    told["resources"][0]["url"] = f"{api.url}/files/bornes.csv"

    def answer(asked_):
        if asked_.path.startswith("/files/"):
            return Said(ROWS.encode(), 200, {"Content-Type": "text/csv"})
        if asked_.path.startswith("/api/1/datasets/"):
            return told
        return Said({"message": "Not found"}, 404)

    api.answer = answer
    ran = datalab("add", f"{api.url}/fr/datasets/{told['slug']}/", "--contact", "DataLab <d@region.example>")
    assert ran.err == ""
    assert ran.code == 0
    (name,) = lab.lab.slugs
    made = descriptor(lab, name)
    assert made["title"] == {"fr": told["title"]}
    assert made["licence"] == "LO-2.0"
    assert made["themes"] == ["TRAN"]
    assert made["harvested"]["identifier"] == told["id"]
    (resource,) = made["resources"].values()
    assert resource["source"]["udata"] == f"{api.url}/"
    assert "longitude" in resource["columns"]
    Dataset.model_validate(made)


def test_a_word_that_is_not_known_is_named_before_anything_is_written(folder, datalab):
    folder.write("sources/bornes.csv", ROWS)
    path = str(folder.root / "sources/bornes.csv")
    for option, word, said in (
        ("--licence", "LO2", "unknown licence 'LO2'; did you mean 'LO-2.0'?"),
        ("--theme", "TRANS", "unknown theme 'TRANS'; did you mean 'TRAN'?"),
        ("--frequency", "YEARLY", "unknown frequency 'YEARLY'"),
        ("--contact", "nobody", "'nobody' is no contact; expected NAME <EMAIL>"),
    ):
        ran = datalab("add", path, option, word)
        assert ran.code == 1
        assert said in ran.err
    assert not (folder.root / "datasets").exists()


def test_a_territory_is_said_by_codes_or_is_a_name_for_where_the_rows_lie():
    draft = Draft(slug="x", values={})
    made = answered(draft, Answers(spatial="departement:76,27")).values["spatial"]
    assert made == {"name": "Departement 76, 27", "departements": ["76", "27"]}
    lies = Draft(slug="x", values={"spatial": {"name": "Emprise des données", "bbox": [0, 1, 2, 3]}})
    assert answered(lies, Answers(spatial="Pays de Caux")).values["spatial"] == {
        "name": "Pays de Caux",
        "bbox": [0, 1, 2, 3],
    }
    with pytest.raises(UsageError, match="where 'Pays de Caux' lies is not known"):
        answered(draft, Answers(spatial="Pays de Caux"))


def test_only_what_nothing_tells_is_asked_for_and_what_the_labs_other_datasets_say_is_offered(folder):
    folder.table("autre", "a\n1\n")
    usual = usual_of(folder.lab.datasets()[0].values())
    asked_for = {}

    def ask(key, _, otherwise):
        asked_for[key] = otherwise
        return {"description": "Une liste.", "themes": "TRAN, REGI", "keywords": "a, b"}.get(key, otherwise or "")

    draft = Draft(slug="x", values={"title": {"fr": "X"}, "licence": "LO-2.0"})
    said = asked(draft, ask, usual)
    assert "title" not in asked_for
    assert "licence" not in asked_for
    assert asked_for["publisher"] == "Région"
    assert asked_for["contact"] == "DataLab <datalab@example.org>"
    assert said.themes == ("TRAN", "REGI")
    made = answered(draft, said)
    assert made.values["contact"] == {"name": "DataLab", "email": "datalab@example.org"}
    assert made.values["keywords"] == {"fr": ["a", "b"]}


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("code_insee", "Code INSEE"),
        ("dateMaj", "Date maj"),
        ("PMUN", "PMUN"),
        ("POPULATION", "Population"),
        ("Nom officiel région", "Nom officiel région"),
        ("N° SIRET", "N° SIRET"),
        ("x1", "X1"),
        ("_", "_"),
    ],
)
def test_the_name_of_a_column_becomes_words(name, title):
    assert titled(name) == title


@pytest.mark.parametrize("name", ["../../evil", "t 4", "Bornes", "main", "", "1a", "a" * 64])
def test_a_name_that_the_lab_would_refuse_is_refused_and_nothing_is_written_anywhere(folder, datalab, name):
    folder.write("sources/bornes.csv", ROWS)
    ran = datalab("add", str(folder.root / "sources/bornes.csv"), *SAID, "--name", name)
    assert ran.code == 1
    assert "a dataset's name is lower-case letters, digits and _" in ran.err
    assert {path.name for path in folder.root.parent.iterdir()} == {"lab"}
    assert not (folder.root / "datasets").exists()


def test_rows_on_both_sides_of_the_antimeridian_lie_in_a_box_of_the_globe(folder, datalab):
    shape = {"type": "Polygon", "coordinates": [[[170, -20], [183.5, -20], [183.5, -10], [170, -20]]]}
    features = [{"type": "Feature", "properties": {"nom": "Wallis"}, "geometry": shape}]
    folder.write("sources/zones.geojson", json.dumps({"type": "FeatureCollection", "features": features}))
    ran = datalab("add", str(folder.root / "sources/zones.geojson"), *SAID)
    if ran.code == 0:
        assert descriptor(folder, "zones")["spatial"]["bbox"] == [170, -20, 180, -10]
        assert datalab("check", "zones").code == 0
    else:  # a reader may refuse such a place; then nothing is there
        assert not (folder.root / "datasets").exists()


def test_a_folder_is_no_file_and_the_same_file_again_is_taken_as_it_lies(folder, datalab, tmp_path):
    assert "is a folder; name a file in it" in datalab("add", str(tmp_path)).err
    (tmp_path / "bornes.csv").write_text(ROWS)
    assert datalab("add", str(tmp_path / "bornes.csv"), *SAID).code == 0
    assert datalab("add", str(tmp_path / "bornes.csv"), *SAID, "--name", "encore").code == 0
    (resource,) = descriptor(folder, "encore")["resources"].values()
    assert resource["source"] == {"file": "sources/bornes.csv"}


def test_rejected_rows_are_told(folder, datalab):
    folder.write("sources/liste.csv", ROWS + "76000;x\n")
    ran = datalab("add", str(folder.root / "sources/liste.csv"), *SAID)
    assert "note resources.liste: 1 row is rejected" in ran.out
