import pytest

from ingest.latin import is_latin

PLAIN = "Rue de l'Église ; 12 °C\n" * 50


@pytest.mark.parametrize(
    ("encoding", "text", "latin"),
    [
        ("latin-1", PLAIN, True),
        ("cp1252", PLAIN, True),
        ("cp1252", PLAIN + "12 €\n" + PLAIN, False),
        ("cp1252", PLAIN + "l’été\n", False),
        ("iso8859_15", PLAIN, True),
        ("iso8859_15", PLAIN + "cœur\n", False),
        ("iso8859_15", "12 €\n" + PLAIN, False),
        ("mac_roman", PLAIN, False),
        ("cp850", PLAIN, False),
        ("cp500", "abc\n", False),
        ("utf-16", PLAIN, False),
    ],
)
@pytest.mark.parametrize("chunk", [7, 1 << 18])
def test_a_text_is_latin_if_every_byte_of_it_means_there_what_it_means_here(
    tmp_path, monkeypatch, encoding, text, latin, chunk
):
    monkeypatch.setattr("ingest.latin._CHUNK", chunk)
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode(encoding))
    assert is_latin(path, encoding) is latin


def test_a_sign_between_the_windows_of_a_large_file_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("ingest.encoding._CHUNK", 16)
    path = tmp_path / "x.csv"
    path.write_bytes((PLAIN + "12 €" + PLAIN).encode("cp1252"))
    assert not is_latin(path, "cp1252")
    path.write_bytes((PLAIN + PLAIN).encode("cp1252"))
    assert is_latin(path, "cp1252")


def test_a_byte_that_the_encoding_does_not_know_is_not_latin(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"a\x81b\n")
    assert not is_latin(path, "cp1252")
