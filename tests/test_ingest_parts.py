"""A folder or a glob of files is one table: every row is there or rejected, and the receipt says of which file."""

from __future__ import annotations

import hashlib
import io
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.run import ingest
from ingest.verdict import accept
from policies.model import RAW

A, B = "n;v\n1;x\n2;y\n", "n;v\n3;z\n"


@pytest.fixture
def several(folder):
    """Ingest a folder of these files, or what a glob finds of it, and see its receipt or its error."""

    def bring(files: dict[str, str | bytes] | None = None, *, file: str = "sources/in", **resource):
        for name, content in (files or {}).items():
            folder.write(f"sources/in/{name}", content)
        folder.describe("jeu", {"t": {"source": {"file": file}, **resource}})
        folder.grant("jeu", {}, {"to": "user:steward", "edition": RAW, "until": "2999-01-01"})
        (outcome,) = ingest(folder.lab, "jeu", lambda _: None)
        told = outcome.error or folder.lab.lake.current("jeu", RAW).resources["t"].receipt
        if isinstance(told, dict) and outcome.status == "ingested":
            assert told["rows_in"] == told["rows_out"] + told["rejected"]
            assert told["rows_in"] == sum(one["rows_in"] or 0 for one in told["files"])
            assert told["rejected"] == sum(one["rejected"] for one in told["files"])
        return told if outcome.status in {"ingested", "failed"} else outcome

    return bring


def read(receipt: dict) -> list[tuple[str, int | None, int]]:
    assert isinstance(receipt, dict), receipt
    return [(one["name"].removeprefix("sources/in/"), one["rows_in"], one["rejected"]) for one in receipt["files"]]


@pytest.mark.parametrize("file", ["sources/in", "sources/in/*.csv", "sources/**/*.csv"])
def test_the_files_of_a_folder_are_one_table_and_the_receipt_names_each(folder, several, file):
    receipt = several({"1.csv": A, "2.csv": "v;n\nz;3\n", ".hidden.csv": "no"}, file=file)
    assert folder.rows() == [(1, "x"), (2, "y"), (3, "z")]
    assert read(receipt) == [("1.csv", 2, 0), ("2.csv", 1, 0)]
    assert receipt["files"][0]["sha256"] == hashlib.sha256(A.encode()).hexdigest()
    assert (
        receipt["sha256"]
        == hashlib.sha256("".join(f"{one['sha256']}  {one['name']}\n" for one in receipt["files"]).encode()).hexdigest()
    )


def test_files_in_other_encodings_dialects_and_formats_are_read_each_in_its_own_way(folder, several):
    receipt = several(
        {
            "1.csv": "n;v\n1;é\n".encode("cp1252"),
            "2.csv": 'n,v\n2,"ç,à"\n',
            "3.csv": "n\tv\n3\tü\n".encode("utf-16"),
            "4.json": '[{"v": "ß", "n": 4}]',
        }
    )
    assert folder.rows() == [(1, "é"), (2, "ç,à"), (3, "ü"), (4, "ß")]
    assert [
        (one["format"], one["dialect"].get("encoding"), one["dialect"].get("delimiter")) for one in receipt["files"]
    ] == [
        ("csv", "cp1252", ";"),
        ("csv", "utf-8", ","),
        ("csv", "utf-16", "\t"),
        ("json", "utf-8", None),
    ]
    together = receipt["dialect"]
    assert (together["encoding"], together["delimiter"]) == ("cp1252 or utf-8 or utf-16", "; or , or \t")
    assert (together["header_row"], together["files"]) == (1, 4)


def test_of_many_dialects_the_first_are_told(folder, several):
    titles = {f"{at}.csv": f"{chr(65 + at)}\n\nn;v\n1;x\n" for at in range(7)}
    assert several(titles)["dialect"]["above"] == "A or B or C or D or E or …"


@pytest.mark.parametrize(
    ("one", "other", "kept"),
    [
        ("1", "x3", ["1", "x3"]),
        ("01001", "76001", ["01001", "76001"]),
        ("2024-01-31", "31/01/2024", ["2024-01-31", "31/01/2024"]),
        ("1.5", "1,5", ["1.5", "1,5"]),
        ("1", "2.25", ["1.00", "2.25"]),
    ],
)
def test_a_column_has_one_type_that_keeps_the_values_of_all_files(folder, several, one, other, kept):
    several({"1.csv": f"m;a\n{one};é\n", "2.csv": f"m;a\n{other};é\n"})
    assert [str(value) for (value,) in folder.rows(columns="m")] == kept


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("n;v;w\n3;z;4\n", "sources/in/2.csv has besides 'w', where sources/in/1.csv is otherwise"),
        ("v;w\nz;4\n", "sources/in/2.csv lacks 'n' and has besides 'w', where sources/in/1.csv is otherwise"),
        ("N;v\n3;z\n", "sources/in/2.csv lacks 'n' and has besides 'N'"),
        (b"PK\x03\x04 cut off", "sources/in: sources/in/2.csv: the archive is cut or damaged"),
        ("", "sources/in: sources/in/2.csv: the file is empty"),
        ("lisez-moi", "sources/in/2.csv lacks 'n', 'v' and has besides 'lisez-moi'"),
    ],
)
def test_a_file_that_is_not_like_the_first_is_an_error_that_names_it_and_nothing_is_served(
    folder, several, other, said
):
    assert said in several({"1.csv": A, "2.csv": other})
    assert folder.lab.lake.current("jeu", RAW) is None


README = "Ces fichiers sont publiés par la Région.\nIls sont mis à jour chaque mois ; voir le site.\n"


@pytest.mark.parametrize(
    ("name", "content", "glob"),
    [
        ("LISEZMOI.txt", README, "sources/in/*.csv"),
        ("README.txt", "lisez-moi", "sources/in/*.csv"),
        ("zz.txt", "lisez-moi", "sources/in/*.csv"),
        ("README.md", "", "sources/in/*.csv"),
        ("notice.pdf", b"%PDF-1.4", "sources/in/*.csv"),
        ("2024/LISEZMOI.txt", README, "sources/in/*.csv"),
    ],
)
def test_a_file_beside_the_data_that_is_none_is_named_with_a_glob_that_leaves_it_out(several, name, content, glob):
    said = several({"data.csv": A, name: content}, file="sources/in/**")
    assert f"sources/in/{name}" in said
    assert said.endswith(f"such as {glob}")
    assert several(file=glob)["rows_in"] == 2


def test_a_file_that_ends_as_the_data_do_is_not_said_to_be_none(several):
    assert "such as" not in several({"1.csv": A, "2.csv": "x\ny\n"})
    assert "such as" not in several({"README.txt": "", "3.csv": ""}, file="sources/in/*.csv")


def test_a_column_that_one_file_types_otherwise_is_an_error(several):
    def parquet(values: list) -> bytes:
        pq.write_table(pa.table({"n": values}), made := io.BytesIO())
        return made.getvalue()

    assert "2.parquet has of another type 'n'" in several({"1.parquet": parquet([1]), "2.parquet": parquet([1.5])})


@pytest.mark.parametrize("empty", ["0.csv", "2.csv"])
def test_a_file_with_names_and_no_rows_adds_none(folder, several, empty):
    found = read(several({"1.csv": A, empty: "n;v\n"}))
    assert sorted(found) == sorted([("1.csv", 2, 0), (empty, 0, 0)])
    assert len(folder.rows()) == 2


def test_no_file_is_an_error_that_says_where(several):
    assert "sources/in/*.tsv: no such file; the descriptor's source names it" in several(
        {"1.csv": A}, file="sources/in/*.tsv"
    )


def test_rejects_name_the_file_and_have_its_own_lines(folder, several):
    declared = {"n": {"type": "integer"}}
    one, other = "n;v\n3;z\n4\n5;v;w;x\n6;q\n", "n;v\n7;z\n8\nx;z\n9;q\n9;r\n10;s\n11;t\n12;t\n13;t\n"
    receipt = several({"1.csv": one, "2.csv": other}, columns=declared, mode="merge", key=["n"])
    assert sorted(folder.rows("jeu.t_rejects", "reason, line, text")) == [
        ("sources/in/1.csv: Expected Number of Columns: 2 Found: 1", 3, "4"),
        ("sources/in/1.csv: Expected Number of Columns: 2 Found: 3", 4, "5;v;w;x"),
        ("sources/in/2.csv: Expected Number of Columns: 2 Found: 1", 3, "8"),
        ("sources/in/2.csv: n: expected integer, found x", 4, "x | z"),
        ("sources/in/2.csv: n: the key stands on 2 rows, expected one", 5, "9 | q"),
        ("sources/in/2.csv: n: the key stands on 2 rows, expected one", 6, "9 | r"),
    ]
    assert read(receipt) == [("1.csv", 4, 2), ("2.csv", 9, 4)]


def test_a_key_that_stands_in_two_files_is_rejected_in_both(folder, several):
    receipt = several({"1.csv": A, "2.csv": "n;v\n2;z\n3;t\n4;u\n"}, mode="merge", key=["n"])
    assert read(receipt) == [("1.csv", 2, 1), ("2.csv", 3, 1)]
    assert sorted(folder.rows()) == [(1, "x"), (3, "t"), (4, "u")]


def test_a_file_that_only_the_careful_reader_reads_is_no_loss_to_the_others(folder, several):
    odd = 'n;v\n3;"a ""b"" c"\n4;"x" y\n5;"l1\nl2"\n'
    receipt = several({"1.csv": A, "2.csv": odd, "3.csv": "n;v\n6;w\n"})
    assert [row[0] for row in folder.rows()][:2] == [1, 2]
    assert sum(rows for _, rows, _ in read(receipt)) == receipt["rows_in"] == 6


def test_a_hundred_files_are_one_table(folder, several):
    files = {f"{i:03}.csv": "n;v\n" + "".join(f"{i * 100 + j};x\n" for j in range(100)) for i in range(100)}
    receipt = several({**files, "050.csv": "n;v\n" + "x;y\n" + "7;y\n" * 3}, columns={"n": {"type": "integer"}})
    assert (receipt["rows_in"], receipt["rejected"], receipt["dialect"]["files"]) == (9904, 1, 100)
    assert read(receipt)[50] == ("050.csv", 4, 1)
    assert receipt["rejects"][0]["reason"] == "sources/in/050.csv: n: expected integer, found x"


def test_a_snapshot_of_a_folder_is_what_lies_there_now(folder, several):
    several({"1.csv": A, "2.csv": B})
    assert several().status == "unchanged"
    (folder.root / "sources/in/1.csv").unlink()
    assert read(several({"4.csv": "n;v\n7;u\n8;u\n"})) == [("2.csv", 1, 0), ("4.csv", 2, 0)]
    assert folder.rows(columns="n") == [(3,), (7,), (8,)]


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_text(B)])
def test_a_file_that_vanishes_or_changes_while_it_is_read_commits_nothing(folder, several, change):
    several({"1.csv": A})
    folder.write("sources/in/2.csv", B + "4;t\n")

    def say(step: str) -> None:
        if step.endswith(": type"):
            change(folder.root / "sources/in/2.csv")

    (outcome,) = ingest(folder.lab, "jeu", say)
    assert outcome.status == "failed"
    assert "2.csv" in outcome.error
    assert len(folder.rows()) == 2
    assert len(list((folder.root / "var/lake/jeu/raw/t").glob("*.parquet"))) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all files")
def test_a_file_that_may_not_be_read_is_named(folder, several):
    folder.write("sources/in/2.csv", B).chmod(0)
    assert "2.csv: cannot be read: Permission denied" in several({"1.csv": A})


def test_only_the_files_that_are_new_in_a_folder_are_appended(folder, several):
    several({"1.csv": A}, mode="append")
    assert read(several({"2.csv": B}, mode="append")) == [("1.csv", None, 0), ("2.csv", 1, 0)]
    assert folder.rows() == [(1, "x"), (2, "y"), (3, "z")]
    assert several(mode="append").status == "unchanged"
    (folder.root / "sources/in/1.csv").unlink()
    assert several(mode="append").status == "unchanged"
    receipt = several({"1.csv": A, "3.csv": "n;v\n4;t\nx;u\n5;w\n"}, mode="append", columns={"n": {"type": "integer"}})
    assert read(receipt) == [("1.csv", None, 0), ("2.csv", None, 0), ("3.csv", 3, 1)]
    assert receipt["rejects"][0]["reason"] == "sources/in/3.csv: n: expected integer, found x"
    assert folder.rows(columns="n") == [(1,), (2,), (3,), (4,), (5,)]


def test_an_appended_file_that_comes_with_other_bytes_is_held_and_named(folder, several):
    several({"1.csv": A}, mode="append")
    several({"2.csv": B}, mode="append")
    outcome = several({"1.csv": "n;v\n8;x\n9;y\n", "3.csv": "n;v\n4;t\n"}, mode="append")
    assert outcome.status == "held"
    (reason,) = outcome.reasons
    assert reason.startswith("the file 'sources/in/1.csv' was added before and has other bytes now")
    assert folder.rows(columns="n") == [(1,), (2,), (3,)]
    (accepted,) = accept(folder.lab, "jeu", by="a", why="", say=lambda _: None)
    assert accepted.status == "ingested"
    assert folder.rows(columns="n") == [(1,), (2,), (3,), (8,), (9,), (4,)]
    assert several(mode="append").status == "unchanged"
    assert several({"1.csv": A}, mode="append").status == "unchanged"


def test_a_merged_file_may_come_with_other_bytes(folder, several):
    several({"1.csv": A}, mode="merge", key=["n"])
    several({"1.csv": "n;v\n2;Y\n"}, mode="merge", key=["n"])
    assert sorted(folder.rows()) == [(1, "x"), (2, "Y")]


def test_a_folder_that_becomes_appended_keeps_what_it_had(folder, several):
    several({"1.csv": A})
    several({"2.csv": B}, mode="append")
    several({"3.csv": "n;v\n4;t\n"}, mode="append")
    assert folder.rows(columns="n") == [(1,), (2,), (3,), (4,)]


def test_a_new_file_of_a_folder_replaces_the_rows_of_its_keys(folder, several):
    several({"1.csv": A}, mode="merge", key=["n"])
    assert read(several({"2.csv": "n;v\n2;Y\n"}, mode="merge", key=["n"])) == [("1.csv", None, 0), ("2.csv", 1, 0)]
    assert sorted(folder.rows()) == [(1, "x"), (2, "Y")]
    several({"1.csv": "n;v\n1;X\n2;y\n"}, mode="merge", key=["n"])
    assert sorted(folder.rows()) == [(1, "X"), (2, "y")]
    several({"1.csv": A}, mode="merge", key=["n"])
    assert sorted(folder.rows()) == [(1, "x"), (2, "y")]
    assert several(mode="merge", key=["n"]).status == "unchanged"


def test_a_new_file_with_other_columns_is_held_alone_and_what_comes_after_it_waits(folder, several):
    several({"1.csv": A}, mode="append")
    held = several({"2.csv": "n;w\n3;z\n"}, mode="append")
    assert (held.status, held.rows_in) == ("held", 1)
    assert "the column 'v' is gone and 'w' is new" in held.reasons[0]
    assert several({"3.csv": "n;v\n4;t\n"}, mode="append").reasons[0].startswith("newer bytes came")
    assert folder.rows() == [(1, "x"), (2, "y")]


def test_a_receipt_shows_each_file(folder, several, datalab):
    several({"1.csv": A, "2.csv": B}, mode="append")
    several({"3.csv": "n;v\n4;t\nx;u\n5;w\n"}, mode="append", columns={"n": {"type": "integer"}})
    told = datalab("receipt", "jeu").out
    assert "sources/in/1.csv: in before, sha256 " in told
    assert "sources/in/3.csv: 3 in, 1 rejected, sha256 " in told


def test_rejects_of_many_columns_name_their_file_too(folder, several):
    names = ";".join(["n", *(f"c{number}" for number in range(1100))])
    rest = ";1" * 1100
    files = {f"{one}.csv": f"{names}\n{cell}{rest}\n3{rest}\n4{rest}\n" for one, cell in (("1", "é"), ("2", "é"))}
    receipt = several(files, columns={"n": {"type": "integer"}})
    assert isinstance(receipt, dict), receipt
    assert [(reject["line"], reject["reason"]) for reject in receipt["rejects"]] == [
        (2, "sources/in/1.csv: n: expected integer, found é"),
        (2, "sources/in/2.csv: n: expected integer, found é"),
    ]


@pytest.mark.parametrize(
    ("bound", "said"),
    [("max_files = 1", "more than 1 file matches"), ("max_bytes = 10", "more than 10 bytes")],
)
def test_more_files_or_bytes_than_the_lab_takes_are_refused(folder, several, bound, said):
    folder.write("datalab.toml", f"[ingest]\n{bound}\n")
    assert said in several({"1.csv": A, "2.csv": B})
