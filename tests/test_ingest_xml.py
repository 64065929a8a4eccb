"""XML: the records found, what stands in them in columns, and what is no safe XML refused."""

from __future__ import annotations

import pytest

from ingest.readers import xml

BOMB = '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><r><i><x>&b;</x></i><i/></r>'
XXE = '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r><i><x>&a;</x></i><i/></r>'
REMOTE = '<?xml version="1.0"?><!DOCTYPE r SYSTEM "http://127.0.0.1/x.dtd"><r><i><x>1</x></i><i/></r>'


def bring(folder, content, **resource):
    return folder.bring(content, name="data.xml", **resource)


def test_the_element_that_repeats_is_the_record(folder):
    receipt = bring(
        folder,
        """<?xml version="1.0"?><response total="2"><title>t</title><list>
        <item code="01"><nom>Ain</nom><prix unite="EUR">1.10</prix><lieu><ville>Bourg</ville><x>1</x></lieu></item>
        <item code="2A"><nom>Corse &amp; <![CDATA[<Sud>]]></nom><prix>2.25</prix><!-- c --></item>
        </list></response>""",
    )
    assert [(one["name"], one["source_name"], one["type"]) for one in receipt["columns"]] == [
        ("code", "@code", "text"),
        ("nom", "nom", "text"),
        ("prix_unite", "prix.@unite", "text"),
        ("prix", "prix", "decimal(18,2)"),
        ("lieu_ville", "lieu.ville", "text"),
        ("lieu_x", "lieu.x", "integer"),
    ]
    assert folder.rows("jeu.t", "code, nom, prix_unite, CAST(prix AS VARCHAR), lieu_ville, lieu_x") == [
        ("01", "Ain", "EUR", "1.10", "Bourg", 1),
        ("2A", "Corse & <Sud>", None, "2.25", None, None),
    ]
    assert (receipt["format"], receipt["rows_in"], receipt["dialect"]["records"]) == ("xml", 2, "response/list/item")


def test_a_child_that_repeats_anywhere_is_a_list_everywhere(folder):
    bring(folder, "<r><i><n>1</n><t>a</t></i><i><n>2</n><t>b</t><t><u k='v'>c</u><u>d</u></t></i></r>")
    assert folder.rows() == [(1, '["a"]'), (2, '["b", {"u": [{"@k": "v", "": "c"}, "d"]}]')]


def test_a_list_of_leaves_has_one_column(folder):
    bring(folder, "<r><n>1</n><n>2</n></r>")
    assert folder.rows(columns="n") == [(1,), (2,)]


def test_names_lose_their_namespaces_and_stay_apart(folder):
    bring(
        folder, "<r xmlns='a' xmlns:b='b' xmlns:c='c'><i b:k='1'><t>x</t><b:t>y</b:t></i><c:j/><i c:k='2' b:k='3'/></r>"
    )
    assert folder.rows(columns="t, t_2") == [("x", "y"), (None, None)]
    assert folder.rows(columns="k")[0] == (1,)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252", "iso-8859-15"])
def test_the_encoding_of_the_prolog_is_honoured(folder, encoding):
    content = f'<?xml version="1.0" encoding="{encoding}"?><r><i><x>Évreux</x></i><i><x>b</x></i></r>'.encode(encoding)
    receipt = bring(folder, content)
    assert receipt["dialect"]["encoding"] == encoding
    assert folder.rows() == [("Évreux",), ("b",)]


def test_a_declared_encoding_goes_before(folder):
    content = "<r><i><x>Évreux</x></i><i><x>b</x></i></r>".encode("cp1252")
    assert "cannot be read as XML, it may be cut: not well-formed" in bring(folder, content)
    assert isinstance(bring(folder, content, read={"encoding": "windows-1252"}), dict)
    assert folder.rows() == [("Évreux",), ("b",)]


# Where the records are


def test_of_several_elements_that_repeat_one_must_be_declared(folder):
    content = "<r><c>1</c><c>2</c><l><i><x>1</x></i><i><x>2</x></i><i><x>3</x></i></l></r>"
    assert bring(folder, content) == (
        "sources/data.xml: 2 elements repeat: r/c (2), r/l/i (3); choose the records: read: {records: r/c}"
    )
    assert bring(folder, content, read={"records": "r/l/i"})["rows_in"] == 3
    assert "no element stands at 'r/l/j'; did you mean 'r/l/i'" in bring(folder, content, read={"records": "r/l/j"})


def test_a_single_record_must_be_declared(folder):
    content = "<r><i><x>1</x></i></r>"
    assert "no element repeats" in bring(folder, content)
    assert bring(folder, content, read={"records": "r/i"})["rows_in"] == 1


def test_declared_records_may_stand_in_several_elements(folder):
    content = "<r><g><i><x>1</x></i></g><g><i><x>2</x></i><i><x>3</x></i></g></r>"
    assert bring(folder, content, read={"records": "r/g/i"})["rows_in"] == 3
    assert folder.rows() == [(1,), (2,), (3,)]


# What is rejected or refused


def test_a_text_between_elements_rejects_its_record(folder):
    receipt = bring(folder, "<r>\n<i><x>1</x></i>\n<i><x>a <b>c</b></x></i>\n<i><x>3</x></i></r>")
    assert [(one["line"], one["reason"]) for one in receipt["rejects"]] == [
        (3, "<x> has text between its elements; expected one or the other")
    ]
    assert (receipt["rows_in"], receipt["rows_out"]) == (3, 2)


def test_a_row_that_breaks_its_declared_type_is_rejected_by_its_line(folder):
    content = "<r>\n<i><x>1</x></i>\n<i>\n<x>a</x></i>\n<i><x>3</x></i></r>"
    receipt = bring(folder, content, columns={"x": {"type": "integer"}})
    assert [(one["line"], one["text"]) for one in receipt["rejects"]] == [(3, "a")]


@pytest.mark.parametrize("content", [BOMB, XXE, REMOTE])
def test_a_document_type_is_refused(folder, content):
    said = bring(folder, content)
    assert "a document type (<!DOCTYPE) may hide other files and bombs" in said
    assert "root:" not in said


@pytest.mark.parametrize(
    "content",
    ["<r><i><x>1</x></i><i><x>2</x></i>", "<r><i></x></r>", "<r><i/><i/></r><r/>", "<r><i>&undefined;</i></r>"],
)
def test_what_is_not_well_formed_is_refused(folder, content):
    assert "cannot be read as XML, it may be cut: " in bring(folder, content)


def test_100_000_levels_are_an_error(folder):
    assert "nested more than 200 levels deep" in bring(folder, "<r>" + "<a>" * 100_000)


def test_countless_kinds_of_elements_are_an_error(folder, monkeypatch):
    monkeypatch.setattr(xml, "_MOST_PLACES", 100)
    content = "<r>" + "".join(f"<i><a{one}/></i>" for one in range(200)) + "</r>"
    assert "more than 100 kinds of elements" in bring(folder, content)


def test_a_text_without_an_end_is_an_error(folder, monkeypatch):
    monkeypatch.setattr(xml, "MAX_RECORD", 50_000)
    monkeypatch.setattr(xml, "_CHUNK", 10_000)
    assert "a text of more than 50000 bytes" in bring(folder, f"<r><i x='{'x' * 100_000}'/><i/></r>")
    said = bring(folder, "<r><i>" + "<x>1</x>" * 50_000 + "</i><i/></r>")
    assert "line 1: a record of more than 50000 signs" in said


def test_a_reading_that_stops_early_is_caught_by_the_count(folder, monkeypatch):
    done = xml._Records._row  # noqa: SLF001  what is broken on purpose

    def losing(self, value):
        row = done(self, value)
        self._record = None
        return row

    monkeypatch.setattr(xml._Records, "_row", losing)  # noqa: SLF001
    assert "3 records stand in the file, 1 were read" in bring(folder, "<r><i><x>1</x></i><i/><i><x>3</x></i></r>")
