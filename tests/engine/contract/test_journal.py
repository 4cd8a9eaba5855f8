"""The journal survives whatever a crash leaves in it, and a reader misses nothing and sees nothing twice."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contract.journal import JournalReader, JournalWriter, follow, newest, replay
from engine.contract.protocol import LogRecorded, Record, StateChanged
from engine.contract.wire import decode_record, encode_record


def note(text: str) -> LogRecorded:
    return LogRecorded("info", text)


def texts(records: list[Record]) -> list[str]:
    return [record.event.text for record in records if isinstance(record.event, LogRecorded)]


def write(path: Path, *lines: str) -> None:
    journal = JournalWriter(path)
    for line in lines:
        journal.append(note(line))
    journal.close()


def test_records_are_numbered_from_one_across_writers(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, "a", "b")
    write(path, "c")
    assert [(record.seq, text) for record, text in zip(replay(path), texts(replay(path)), strict=True)] == [
        (1, "a"),
        (2, "b"),
        (3, "c"),
    ]


def test_what_caused_a_record_and_when_is_kept(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "events.jsonl")
    written = journal.append(note("a"), command_id="abc", moment=12.5)
    journal.close()
    assert replay(tmp_path / "events.jsonl") == [written] == [Record(1, 12.5, note("a"), "abc")]


def test_a_missing_journal_is_empty(tmp_path: Path) -> None:
    assert replay(tmp_path / "events.jsonl") == []


@given(st.integers(min_value=1))
@settings(max_examples=25)
def test_a_torn_last_line_harms_neither_reading_nor_the_next_record(cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        write(path, "a", "b")
        whole = path.read_bytes()
        last = whole[: whole.index(b"\n") + 1]
        torn = whole[: len(last) + cut % (len(whole) - len(last))]
        path.write_bytes(torn)
        assert texts(replay(path)) == ["a"]
        write(path, "c")
        numbers = [record.seq for record in replay(path)]
        assert texts(replay(path)) in (["a", "c"], ["a", "b", "c"])
        assert len(set(numbers)) == len(numbers) and numbers == sorted(numbers)


def test_a_last_line_that_lacks_only_its_end_keeps_its_number(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, "a", "b")
    path.write_bytes(path.read_bytes()[:-1])
    write(path, "c")
    assert [record.seq for record in replay(path)] == [1, 2, 3]
    assert texts(replay(path)) == ["a", "b", "c"]


@pytest.mark.parametrize("garbage", [b"\x00\xff\xfe\n", b"{}\n", b"\n", b"[1, 2]\n", b'{"seq": 1}\n'])
def test_garbage_in_the_middle_is_counted_and_skipped(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "events.jsonl"
    write(path, "a")
    with path.open("ab") as file:
        file.write(garbage)
    write(path, "b")
    reader = JournalReader(path)
    assert texts(reader.read_new()) == ["a", "b"]
    assert reader.damaged_lines == 1
    assert [record.seq for record in replay(path)] == [1, 2]


def test_a_reader_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, "a")
    line = encode_record(Record(2, 0.0, note("b"))).encode() + b"\n"
    reader = JournalReader(path)
    assert texts(reader.read_new()) == ["a"]
    for piece in (line[:5], line[5:]):
        assert reader.read_new() == []
        with path.open("ab") as file:
            file.write(piece)
    assert texts(reader.read_new()) == ["b"]
    assert reader.read_new() == []


def test_following_yields_what_comes_until_told_to_end_and_what_came_with_the_end(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal = JournalWriter(path)
    for text in "ab":
        journal.append(note(text))
    looks = 0

    def until() -> bool:
        nonlocal looks
        looks += 1
        journal.append(note(f"look {looks}"))
        return looks == 2

    assert texts(list(follow(path, until, after_seq=1))) == ["b", "look 1", "look 2"]
    journal.close()


@pytest.mark.parametrize(
    ("garbage", "lines"),
    [(b"", 0), (b"\xfe\x00\n{}\n", 2), (b"\x00" * 4096, 1), (b'{"torn', 1), (b"\x00\n\x00\n\x00", 3)],
)
def test_lines_that_cannot_be_read_are_counted(tmp_path: Path, garbage: bytes, lines: int) -> None:
    path = tmp_path / "events.jsonl"
    journal = JournalWriter(path)
    record = journal.append(note("a"))
    journal.close()
    with path.open("ab") as file:
        file.write(garbage)
    reader = JournalReader(path)
    assert list(reader.read_all()) == [record]
    assert reader.unreadable_lines(live=False) == lines


def test_a_last_line_that_somebody_still_writes_is_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"half')
    reader = JournalReader(path)
    assert reader.read_new() == []
    assert reader.unreadable_lines(live=True) == 0
    with path.open("ab") as file:
        file.write(encode_record(Record(1, 1.0, note("a"))).encode()[6:] + b"\n")
    reader.read_new()
    assert reader.has_torn_end is False


def test_a_record_is_with_the_operating_system_as_soon_as_it_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal = JournalWriter(path)
    record = journal.append(note("a"))
    assert decode_record(path.read_bytes()) == record
    journal.close()


def test_the_newest_of_a_kind_is_found_among_others_and_damage(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert newest(path, StateChanged) is None
    journal = JournalWriter(path)
    for event in (StateChanged("preparing"), StateChanged("running"), note('of "StateChanged"')):
        journal.append(event)
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"type": "StateChanged"}\n')
    assert newest(path, StateChanged) == StateChanged("running")
    assert newest(path, LogRecorded) == note('of "StateChanged"')
