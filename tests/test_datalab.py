"""The command itself: help for all, errors without tracebacks, and the docs that follow."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import click
import pytest
import typer

import datalab as command
from policies.errors import DatalabError

REPOSITORY = Path(__file__).parents[1]


@cache
def commands() -> dict[str, object]:
    """Every command by the words that call it."""
    found = {}

    def walk(name, node):
        if hasattr(node, "list_commands"):
            for word in node.list_commands(None):
                walk(f"{name} {word}".strip(), node.get_command(None, word))
        else:
            found[name] = node

    walk("", typer.main.get_command(command.app))
    return found


@pytest.mark.parametrize("name", commands())
def test_every_command_and_option_has_help(name):
    node = commands()[name]
    assert node.help
    for parameter in node.params:
        assert getattr(parameter, "help", None), f"{name}: {parameter.name}"


@pytest.mark.parametrize("name", commands())
def test_every_command_has_its_line_in_the_docs(name):
    text = (REPOSITORY / "docs/cli.md").read_text()
    assert re.search(rf"^\| `datalab {name}[ `]", text, re.MULTILINE), name


def test_the_docs_name_no_command_that_is_not_there():
    text = (REPOSITORY / "docs/cli.md").read_text()
    for line in re.findall(r"^\| `datalab ([^`]+)`", text, re.MULTILINE):
        assert any(line.split(" [")[0].startswith(name) for name in commands()), line


def test_every_option_stands_in_the_docs():
    text = (REPOSITORY / "docs/cli.md").read_text()
    for name, node in commands().items():
        for parameter in node.params:
            for option in parameter.opts:
                if option.startswith("--") and option != "--help":
                    assert option in text, f"{name} {option}"


def test_help_is_shown_and_exits_with_0(datalab):
    ran = datalab("ingest", "--help")
    assert ran.code == 0
    assert "Fetch, read, type and commit" in ran.out


def test_a_folder_that_is_no_lab_is_an_error_that_says_what_a_lab_is(datalab, tmp_path):
    ran = datalab("ingest", lab=tmp_path)
    assert (ran.code, ran.out) == (1, "")
    assert f"{tmp_path}/datalab.toml: no such file; a lab is a folder with datalab.toml" in ran.err


def test_an_unknown_section_and_an_unknown_setting_are_named(folder, datalab):
    settings = folder.root / "datalab.toml"
    settings.write_text(settings.read_text() + "[ingets]\n")
    assert "unknown section [ingets]; did you mean 'ingest'" in datalab("ingest").err
    settings.write_text(settings.read_text().replace("[ingets]", "[catalog]\ntitel = 'x'"))
    ran = datalab("dcat")
    assert "[catalog] unknown key 'titel'; did you mean 'title'" in ran.err
    assert ran.code == 1


def test_an_unknown_dataset_is_named_with_the_likeliest_one(folder, datalab):
    folder.table("communes", "a;b\n1;2\n")
    ran = datalab("ingest", "comunes")
    assert ran.code == 1
    assert "unknown dataset 'comunes'; did you mean 'communes'" in ran.err


def test_a_grant_to_somebody_unknown_is_told_with_its_line_and_the_likeliest_name_and_stops_nothing(folder, datalab):
    folder.table("jeu", "a;b\n1;2\n")
    grants = ("group:stewrds", "2999-01-01"), ("user:steward", "2999-01-01"), ("user:gone", "2020-01-01")
    folder.grant("jeu", {}, *({"to": to, "edition": "raw", "until": until} for to, until in grants))
    for _ in range(2):  # also where nothing else has changed
        ran = datalab("ingest", "jeu")
        assert ran.code == 0
        (warning,) = [line for line in ran.err.splitlines() if "jeu.t" not in line]
        policy = folder.root / "policies/jeu.yaml"
        line = 1 + next(at for at, text in enumerate(policy.read_text().splitlines()) if "stewrds" in text)
        assert warning == (
            f"warning: {policy}:{line}: granted to nobody: unknown group 'stewrds'; did you mean 'stewards'? "
            "(those of datalab.toml, [policies.users])"
        )


def test_where_a_lab_names_no_user_no_grant_is_doubted(folder, datalab):
    folder.write("datalab.toml", "")
    folder.table("jeu", "a;b\n1;2\n")
    folder.grant("jeu", {}, {"to": "group:stewrds", "edition": "raw", "until": "2999-01-01"})
    ran = datalab("ingest", "jeu")
    assert (ran.code, "warning" in ran.err) == (0, False)


def test_ingest_prints_its_table_and_a_failing_source_makes_the_exit_code_1(folder, datalab):
    folder.table("bon", "a;b\n1;2\n")
    folder.describe("cassé".replace("é", "e"), {"t": {"source": {"file": "gone.csv"}}})
    folder.write("datasets/faux.yaml", "title: {fr: x}\nlicense: LO\n")
    ran = datalab("ingest")
    assert ran.code == 1
    for word in ("dataset", "resource", "rows in", "out", "rejects", "editions", "seconds", "bon"):
        assert word in ran.out
    assert "casse.t: " in ran.err
    assert "gone.csv: no such file" in ran.err
    assert "faux.yaml:2: unknown key 'license'; did you mean 'licence'" in ran.err
    assert "Traceback" not in ran.err
    assert datalab("query", "SELECT 1 AS un").code == 0


def test_a_lab_without_datasets_says_so(folder, datalab):
    ran = datalab("ingest")
    assert ran.code == 1
    assert f"{folder.root}/datasets: no descriptor there" in ran.err


def test_errors_have_one_root():
    assert issubclass(DatalabError, Exception)
    assert click.ClickException not in DatalabError.__mro__
