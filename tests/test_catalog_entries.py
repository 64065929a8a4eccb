"""What is shown is read again where it has changed, and nowhere else."""

from __future__ import annotations

import pyarrow as pa
from fixtures_portal import COMMUNES, SUBVENTIONS, commit, policy, write

from catalog.entries import EVERYONE, Readings, entries
from catalog.web.state import FEW, Shelf
from ingest.run import ingest


def slugs(shown):
    return [entry.slug for entry in shown]


def test_nothing_is_read_again_while_nothing_changes(open_lab):
    readings = Readings(open_lab, EVERYONE)
    shown = readings.now()
    stamp = readings.stamp
    assert readings.now() is shown
    assert readings.stamp == stamp


def test_what_has_changed_is_read_again_and_the_rest_is_the_same(open_lab):
    readings = Readings(open_lab, EVERYONE)
    communes, subventions = readings.now()
    stamp = readings.stamp
    write(open_lab.root, "subventions", SUBVENTIONS.replace("Versements", "Paiements"))
    again = readings.now()
    assert again[0] is communes
    assert again[1].dataset.resources["versements"].title["fr"] == "Paiements"
    assert subventions.dataset.resources["versements"].title["fr"] == "Versements"
    assert readings.stamp != stamp


def test_a_commit_a_policy_a_twin_and_a_new_or_a_lost_descriptor_are_all_seen(open_lab):
    readings = Readings(open_lab, EVERYONE)
    readings.now()
    commit(open_lab, "communes", "open", "contours", pa.table({"nom": ["a"]}), [("nom", "VARCHAR")], {})
    assert readings.now()[0].current.resources["contours"].rows == 1
    write(open_lab.root, "secrets", COMMUNES.replace("contours:", "registre:"), policy("registre", ["nom"]))
    commit(open_lab, "secrets", "open", "registre", pa.table({"nom": ["a"]}), [("nom", "VARCHAR")], {})
    assert slugs(readings.now()) == ["communes", "secrets", "subventions"]
    (open_lab.root / "datasets/subventions.yaml").unlink()
    assert slugs(readings.now()) == ["communes", "secrets"]
    (open_lab.root / "datasets/communes.yml").touch()
    assert slugs(readings.now()) == ["secrets"]
    assert slugs(readings.now()) == slugs(entries(open_lab, EVERYONE))


def test_what_is_wrong_is_told_each_time_until_it_is_right(open_lab):
    readings = Readings(open_lab, EVERYONE)
    write(open_lab.root, "communes", "title: [")
    for _ in range(2):
        wrong = []
        assert slugs(readings.now(wrong.append)) == ["subventions"]
        assert len(wrong) == 1
    write(open_lab.root, "communes", COMMUNES)
    wrong.clear()
    assert slugs(readings.now(wrong.append)) == ["communes", "subventions"]
    assert wrong == []


def test_new_contours_place_all_datasets_anew(open_lab):
    settings = open_lab.root / "datalab.toml"
    settings.write_text(settings.read_text() + '[catalog.territories]\ncommune = "communes.contours.nom"\n')
    lab = type(open_lab).open(open_lab.root)
    readings = Readings(lab, EVERYONE)
    before = readings.now()
    write(lab.root, "communes", COMMUNES.replace("Contours, sans", "Formes, sans"))
    after = readings.now()
    assert after[1] is not before[1]
    assert after[1] == before[1]


def test_a_large_lab_is_looked_at_in_the_background_and_what_is_shown_is_still_true(open_lab):
    for number in range(FEW):
        write(open_lab.root, f"lot{number:03d}", COMMUNES, policy("contours", ["nom"]))
        lot = open_lab.lake.edition_path(f"lot{number:03d}", "open")
        lot.parent.mkdir()
        lot.symlink_to(open_lab.lake.edition_path("communes", "open"))
    write(open_lab.root, "communes", COMMUNES, policy("contours", ["nom"]))
    commit(open_lab, "communes", "open", "contours", pa.table({"nom": ["a"]}), [("nom", "VARCHAR")], {})
    shelf = Shelf(open_lab)
    shown = shelf.now()
    assert len(shown.entries) == FEW + 2
    ended = policy("versements", ["montant"], until="until: 2020-01-01, ")
    write(open_lab.root, "subventions", SUBVENTIONS, ended)
    assert shelf.lately() is shown
    assert not shelf.holds(shown, shown.entries)
    assert shelf.holds(shown, shown.entries[:5])
    assert shelf.of("subventions")[1] == ()
    assert len(shelf.lately().entries) == FEW + 1
    for strange in ("nulle_part", "..", "a/b", "a\0b", "é" * 300):
        assert shelf.of(strange)[1] == ()


def test_a_renamed_column_is_told_of_by_its_name_in_the_edition(folder):
    folder.table("jeu", "nom;an\na;1\n", columns={"an": {"title": {"fr": "Année"}}})
    folder.grant("jeu", {"open": {"t": {"keep": ["an"], "rename": {"an": "annee"}}}})
    list(ingest(folder.lab, "jeu", lambda _: None))
    ((resource, served),) = entries(folder.lab, EVERYONE)[0].resources.values()
    assert [column.name for column in served.columns] == ["annee"]
    assert resource.columns["annee"].title == {"fr": "Année"}
    assert "an" in folder.lab.dataset("jeu").resources["t"].columns
