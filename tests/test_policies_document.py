"""What a steward writes wrongly is named with its file and line."""

from __future__ import annotations

import contextlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from catalog.model import Dataset
from policies.document import Model, parse_yaml, read_yaml
from policies.errors import DocumentError
from policies.model import Policy
from policies.yamlnodes import _CoreLoader, _depth, composed, constructed


def error_of(folder, path: str, model=Dataset) -> str:
    with pytest.raises(DocumentError) as caught:
        read_yaml(folder.root / path, model)
    return str(caught.value)


def test_an_unknown_key_is_named_with_its_line_and_the_likeliest_one(folder):
    folder.describe("jeu", {"t": {"source": {"file": "x.csv"}}})
    path = folder.root / "datasets/jeu.yaml"
    path.write_text(path.read_text().replace("frequency:", "frequence:"))
    line = path.read_text().splitlines().index("frequence: ANNUAL") + 1
    said = error_of(folder, "datasets/jeu.yaml")
    assert f"jeu.yaml:{line}: unknown key 'frequence'" in said
    assert "did you mean 'frequency'" in said


def test_an_unknown_column_type_is_named_with_its_line(folder):
    folder.describe("jeu", {"t": {"source": {"file": "x.csv"}, "columns": {"a": {"type": "number"}}}})
    path = folder.root / "datasets/jeu.yaml"
    line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if "type: number" in text)
    said = error_of(folder, "datasets/jeu.yaml")
    assert f"jeu.yaml:{line}: 'resources.t.columns.a.type'" in said
    assert "'integer'" in said


def test_all_keys_that_are_missing_are_named_at_once_with_their_lines(folder):
    folder.write("datasets/jeu.yaml", "title: {fr: x}\ndescription: {fr: x}\nresources:\n  t:\n    title: {fr: t}\n")
    top, of_t = error_of(folder, "datasets/jeu.yaml").splitlines()
    assert top.endswith(
        "jeu.yaml:1: 'publisher', 'contact', 'themes', 'keywords', 'licence', 'frequency', 'spatial', 'issued' "
        "are missing"
    )
    assert of_t.endswith("jeu.yaml:4: 'resources.t.source', 'resources.t.origin' are missing")
    folder.write("policies/jeu.yaml", "editions: {}\n")
    assert error_of(folder, "policies/jeu.yaml", Policy).endswith("jeu.yaml:1: 'owner' is missing")


@pytest.mark.parametrize(("field", "value"), [("licence", "LO"), ("themes", ["ENV"]), ("frequency", "yearly")])
def test_an_unknown_word_of_a_vocabulary_is_refused_with_the_known_ones(folder, field, value):
    folder.describe("jeu", {"t": {"source": {"file": "x.csv"}}}, **{field: value})
    said = error_of(folder, "datasets/jeu.yaml")
    assert f"'{field}': unknown" in said
    assert "did you mean" in said or "known:" in said


def test_a_key_that_stands_twice_is_an_error(folder):
    folder.write("policies/jeu.yaml", "owner: a\nowner: b\n")
    assert "jeu.yaml:2: the key 'owner' stands twice" in error_of(folder, "policies/jeu.yaml", Policy)


def test_broken_yaml_is_named_with_its_line(folder):
    folder.write("policies/jeu.yaml", "owner: a\ngrants: [\n")
    assert "policies/jeu.yaml:3: not valid YAML" in error_of(folder, "policies/jeu.yaml", Policy)


def test_no_and_leading_zeros_are_text_as_in_yaml_1_2(folder):
    folder.describe("jeu", {"t": {"source": {"file": "x.csv"}}})
    path = folder.root / "datasets/jeu.yaml"
    path.write_text(path.read_text().replace("- essai", "- NO\n  - 01001\n  - 2026-01-01"))
    assert read_yaml(path, Dataset).keywords["fr"] == ("NO", "01001", "2026-01-01")


def test_an_empty_file_and_a_missing_file_are_errors(folder):
    folder.write("policies/jeu.yaml", "# nothing\n")
    assert "the file is empty" in error_of(folder, "policies/jeu.yaml", Policy)
    assert "no such file" in error_of(folder, "policies/none.yaml", Policy)


def test_an_address_that_cannot_be_fetched_is_named_as_such(folder):
    folder.describe("jeu", {"t": {"source": {"url": "ftp://example.org/x.csv"}}})
    assert "'resources.t.source.url': URL scheme should be 'http' or 'https'" in error_of(folder, "datasets/jeu.yaml")


@pytest.mark.parametrize(
    "text", ["? [a, b]\n: 1\n", "a: &a [*a]\n", "a: " + "[" * 5000 + "]" * 5000 + "\n", "[" * 100_000, "[1, 2]\n"]
)
def test_a_document_that_is_no_mapping_of_plain_keys_is_an_error(folder, text):
    folder.write("policies/jeu.yaml", text)
    assert "policies/jeu.yaml:1" in error_of(folder, "policies/jeu.yaml", Policy)


@given(st.text(st.sampled_from("[]{}-?:, \n\ra&!|'\u2028\ufeff"), max_size=60))
def test_no_document_nests_deeper_than_it_is_taken_to(text):
    depth = deepest = 0
    with contextlib.suppress(yaml.YAMLError):  # what comes before an error was opened all the same
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            deepest = max(deepest, depth)
    assert deepest <= _depth(text)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_what_a_document_says_is_what_yamls_own_constructor_has(value):
    root = composed(yaml.safe_dump(value, allow_unicode=True))
    assert constructed(root) == _CoreLoader("").construct_document(root)


@pytest.mark.parametrize(
    "text",
    [
        "{a: NO, b: 01001, c: 2020-01-01, d: ~, e: null, f: true, g: +5, h: -0, i: 1e3, j: '5', k: 1_000, l: .inf}",
        "{a: !!int 0x1F, b: !!bool yes, c: !!binary aGFsbG8=, d: !!timestamp 2020-01-01, e: !!str 5, f: !!float .inf}",
        "a: &a [1, {b: 2}]\nc: *a\nd: *a\n",
        "a: !!set {x, y}\nb: !!omap [x: 1]\n",
        "2020: x\n~: y\ntrue: z\n",
    ],
)
def test_odd_documents_say_what_yamls_own_constructor_has(text):
    root = composed(text)
    assert constructed(root) == _CoreLoader("").construct_document(root)


def test_lists_of_lists_of_lists_by_aliases_take_no_time(folder):
    levels = "".join(f"b{level}: &b{level} [{', '.join([f'*b{level - 1}'] * 9)}]\n" for level in range(1, 30))
    with pytest.raises(DocumentError, match="bombe:2: unknown key 'b1'"):
        parse_yaml(f"b0: &b0 [x]\n{levels}", "bombe", Bomb)


class Bomb(Model):
    b0: list[str]
