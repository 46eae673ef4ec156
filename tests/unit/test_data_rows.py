"""Rows of feeders: read with every fault named, and dealt: unique ones once, circular in order, by a seed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.data.feeder import STOCK_ROWS, RowAllocator, Strategy, positions
from plimsoll.data.sources import CsvFile, FeedError, JsonLinesFile, Query


class Numbers:
    """A source of the numbers from 0 on."""

    name = "numbers"

    def __init__(self, rows: int, *, is_fixed: bool = True) -> None:
        self.rows, self.is_fixed = rows, is_fixed
        self.times_read = 0

    def read(self) -> Sequence[int]:
        """Return the numbers."""
        self.times_read += 1
        return range(self.rows)


def allocator(rows: int, strategy: Strategy, seed: str = "1") -> RowAllocator:
    """Return a allocator that is open."""
    opened = RowAllocator(Numbers(rows), strategy)
    opened.open(seed)
    return opened


@given(
    rows=st.integers(1, 2000), asks=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 8)), max_size=80)
)
def test_a_unique_row_is_dealt_once(rows: int, asks: list[tuple[int, int]]) -> None:
    """However many processes ask, for however many users, come or go: no row goes out twice, all in order."""
    unique = allocator(rows, "unique")
    dealt = [row for wanted, processes in asks for row in unique.allocate(wanted, processes).rows]

    assert dealt == list(range(len(dealt)))


@pytest.mark.parametrize("strategy", ["unique", "circular"])
@given(rows=st.integers(1, 600), processes=st.integers(1, 4), data=st.data())
def test_rows_that_are_few_all_reach_who_wants_them(
    strategy: Strategy, rows: int, processes: int, data: st.DataObject
) -> None:
    """As many users as there are rows, over several processes, each ask for one: all get one of their own."""
    few = allocator(rows, strategy)
    stock: list[list[int]] = [[] for _ in range(processes)]
    taken = []
    for _ in range(rows):
        process = data.draw(st.integers(0, processes - 1)) if rows < 40 else _ % processes
        stock[process] = stock[process] or few.allocate(1, processes).rows
        taken.append(stock[process].pop(0))

    assert sorted(taken) == list(range(rows))


@given(rows=st.integers(1, 50), asks=st.lists(st.integers(0, 30), min_size=1, max_size=5))
def test_circular_rows_go_around(rows: int, asks: list[int]) -> None:
    """The first row follows the last, whoever gets them."""
    circular = allocator(rows, "circular")
    dealt = [row for wanted in asks for row in circular.allocate(wanted, 3).rows]

    assert dealt == [number % rows for number in range(len(dealt))]


@settings(max_examples=20)
@given(rows=st.integers(1, 50), asks=st.lists(st.integers(0, 30), min_size=1, max_size=5), seed=st.text())
def test_random_rows_hang_on_the_seed_alone(rows: int, asks: list[int], seed: str) -> None:
    """However the rows are asked for, the same are dealt in the same order."""
    drawn = allocator(rows, "random", seed)
    dealt = [row for wanted in asks for row in drawn.allocate(wanted, 3).rows]

    assert dealt == list(islice(positions("random", rows, seed), len(dealt)))
    assert set(dealt) <= set(range(rows))


def test_seeds_draw_differently() -> None:
    """Two seeds make two orders."""
    first, second = (list(islice(positions("random", 1000, seed), 20)) for seed in ("1", "2"))

    assert first != second


def test_stock_is_dealt_while_rows_are_plenty() -> None:
    """Of 1,000 rows, one user of one of two processes has 100 more sent along; of 400 rows, none."""
    assert len(allocator(1000, "unique").allocate(1, 2).rows) == 1 + STOCK_ROWS
    assert len(allocator(400, "unique").allocate(1, 2).rows) == 1


def test_the_last_block_says_so() -> None:
    """Whoever gets the last row, and whoever comes after it, is told that there are no more."""
    few = allocator(3, "unique")

    assert few.allocate(2, 1) == ([0, 1], False)
    assert few.allocate(2, 1) == ([2], True)
    assert few.allocate(2, 1) == ([], True)


def test_a_new_run_begins_with_the_first_row() -> None:
    """What was dealt in the run before is dealt again."""
    unique = allocator(3, "unique")
    unique.allocate(3, 1)
    unique.begin("1")

    assert unique.allocate(1, 1).rows == [0]


@pytest.mark.parametrize(("is_fixed", "times_read"), [(True, 1), (False, 2)])
def test_rows_are_read_once_unless_they_change(*, is_fixed: bool, times_read: int) -> None:
    """A file is read once in a process, a query before each run."""
    source = Numbers(3, is_fixed=is_fixed)
    opened = RowAllocator(source, "unique")
    opened.open("1")
    opened.open("1")

    assert source.times_read == times_read


def test_an_allocator_that_is_not_open_opens_itself() -> None:
    """Locust used as a library has no preparation."""
    assert RowAllocator(Numbers(1), "unique").allocate(1, 1).rows == [0]


def test_an_unknown_way_is_refused() -> None:
    """The text says what there is."""
    with pytest.raises(ValueError, match="strategy must be 'unique', 'circular' or 'random', got 'any'"):
        RowAllocator(Numbers(1), "any")  # type: ignore[arg-type] # on purpose


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
