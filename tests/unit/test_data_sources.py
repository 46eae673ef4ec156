"""Rows from files: read as they are, and every fault named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from plimsoll.data.query import Query
from plimsoll.data.sources import CsvFile, FeedError, JsonLinesFile


def csv_file(folder: Path, content: bytes) -> CsvFile:
    """Return a file with this content."""
    path = folder / "students.csv"
    path.write_bytes(content)
    return CsvFile(str(path))


def json_lines_file(folder: Path, content: str) -> JsonLinesFile:
    """Return a file with this content."""
    path = folder / "students.jsonl"
    path.write_text(content, encoding="utf-8")
    return JsonLinesFile(str(path))


def test_csv_rows_have_their_column_names(tmp_path: Path) -> None:
    """Values are text, quoted line ends are kept, a byte order mark and empty lines are not."""
    rows = csv_file(tmp_path, '\ufeffid,name\r\n7,"Ada, L."\r\n\r\n8,"a\u2028b\nc"\r\n'.encode()).read()

    assert rows == [{"id": "7", "name": "Ada, L."}, {"id": "8", "name": "a\u2028b\nc"}]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "there are no rows"),
        (b"id,name\n", "there are no rows"),
        (b"id,,id\n1,2,3\n", "line 1: column 2 has no name"),
        (b"id,,id\n1,2,3\n", "line 1: column 3 is named 'id' like one before it"),
        (b"id\n1\n2,3\n", "line 3: got 2 values, expected 1"),
        (b'id\n"1\n', "line 2: unexpected end of data"),
        (b"id\n\xff\n", "byte 3 is not UTF-8"),
    ],
)
def test_csv_faults(tmp_path: Path, content: bytes, fault: str) -> None:
    """Each fault says which file and line, and what is wrong there."""
    source = csv_file(tmp_path, content)

    with pytest.raises(FeedError) as raised:
        source.read()

    assert f"csv {source.path}: {fault}" in str(raised.value)


def test_many_faults_are_not_all_told(tmp_path: Path) -> None:
    """Ten faults are named, the others counted."""
    with pytest.raises(FeedError) as raised:
        csv_file(tmp_path, b"id\n" + b"1,2\n" * 15).read()

    assert len(str(raised.value).splitlines()) == 11
    assert str(raised.value).endswith("and 5 more")


def test_a_file_that_is_not_there() -> None:
    """The text says where it was looked for, as that hangs on where Locust is started."""
    with pytest.raises(FeedError, match=r"csv no\.csv: No such file or directory \(looked for in /"):
        CsvFile("no.csv").read()


def test_json_lines_are_objects(tmp_path: Path) -> None:
    """Values keep their types; empty lines are no rows."""
    assert json_lines_file(tmp_path, '{"id": 7, "tags": ["a"]}\n\n{"id": 8}').read() == [
        {"id": 7, "tags": ["a"]},
        {"id": 8},
    ]


def test_json_lines_faults(tmp_path: Path) -> None:
    """All lines that are no objects are named."""
    with pytest.raises(FeedError) as raised:
        json_lines_file(tmp_path, '[1]\n{"id": 8}\n{"id":').read()

    assert [line.rpartition(": ")[0][-6:] for line in str(raised.value).splitlines()] == ["line 1", "line 3"]


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        (None, "no database; give database_url or set DATABASE_URL"),
        ("postgresql://me:s3cret@host:port:more/x?y", "the database must be given as postgresql://USER"),
    ],
)
def test_query_faults_quote_no_password(monkeypatch: pytest.MonkeyPatch, url: str | None, fault: str) -> None:
    """Without a usable URL the query is named, and the URL is not."""
    monkeypatch.delenv("DATABASE_URL", raising=False)

    with pytest.raises(FeedError) as raised:
        Query("SELECT 1\nFROM students", url).read()

    assert str(raised.value).startswith("sql SELECT 1 FROM students: ")
    assert fault in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_names_are_the_same_on_every_machine() -> None:
    """By its name a master knows which feeder a worker asks for, wherever the files are."""
    assert CsvFile("/home/me/students.csv").name == CsvFile("data/students.csv").name == "csv students.csv"
    assert len(Query("SELECT " + "x" * 200).name) == len("sql ") + 61
