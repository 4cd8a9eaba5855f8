"""Everything that crosses a process boundary comes back equal, and nothing that is no message gets through."""

import json
import math
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contract.describe import describe, level, log_line
from engine.contract.protocol import (
    CheckpointSaved,
    Command,
    Event,
    MemorySampled,
    Record,
    Request,
    StepCompleted,
    Stop,
    UnknownEvent,
)
from engine.contract.wire import ProtocolError, decode_record, decode_request, encode_record, encode_request

KNOWN_EVENTS = [kind for kind in get_args(Event) if kind is not UnknownEvent]
NAMES = {kind.__name__ for kind in KNOWN_EVENTS}

finite = st.floats(allow_nan=False, allow_infinity=False)
st.register_type_strategy(float, finite)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
unknown_events = st.builds(
    UnknownEvent, type=st.text().filter(lambda name: name not in NAMES), data=st.dictionaries(st.text(), plain)
)
events = st.one_of([st.from_type(kind) for kind in KNOWN_EVENTS] + [unknown_events])
records = st.builds(Record, st.integers(), finite, events, st.none() | st.text())
requests = st.builds(
    Request, st.one_of([st.from_type(kind) for kind in get_args(Command)]), st.text("abc9", min_size=1)
)


@given(records)
def test_every_record_comes_back_equal_from_one_line(record: Record) -> None:
    line = encode_record(record)
    assert "\n" not in line and "\r" not in line
    assert decode_record(line) == record
    assert decode_record(line.encode()) == record


@given(requests, st.text())
def test_every_request_comes_back_equal_with_its_key(request: Request, key: str) -> None:
    assert decode_request(encode_request(request, key)) == (request, key)


@pytest.mark.parametrize("kind", [*KNOWN_EVENTS, *get_args(Command)])
def test_fields_are_plain_values(kind: type) -> None:
    for hint in get_type_hints(kind).values():
        parts = get_args(hint) or (hint,)
        assert all(isinstance(part, str) or part in {int, float, str, bool, ...} for part in parts)


@given(records)
def test_every_record_can_be_told_and_has_a_level(record: Record) -> None:
    assert isinstance(describe(record.event), str)
    assert level(record.event) in {"info", "warning", "error"}
    moderate = Record(record.seq, min(abs(record.time), 4e9), record.event)
    assert isinstance(log_line(moderate), str)


@given(st.binary() | st.text() | plain.map(json.dumps))
def test_garbage_is_refused_as_no_message(line: str | bytes) -> None:
    for decode in (decode_record, decode_request):
        with pytest.raises(ProtocolError):
            decode(line)


@given(records, st.data())
def test_a_torn_record_is_refused_as_no_message(record: Record, data: st.DataObject) -> None:
    line = encode_record(record)
    with pytest.raises(ProtocolError):
        decode_record(line[: data.draw(st.integers(0, len(line) - 1))])


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("seq", "time", "command_id", "id", "key", "data"), plain)),
    st.sampled_from(sorted(NAMES) + [kind.__name__ for kind in get_args(Command)]),
)
def test_wrong_fields_are_refused_and_never_crash(message: dict[str, Any], kind: str) -> None:
    line = json.dumps({**message, "type": kind})
    for decode in (decode_record, decode_request):
        try:
            decode(line)
        except ProtocolError as error:
            assert str(error)


def test_nesting_too_deep_for_the_parser_is_refused() -> None:
    with pytest.raises(ProtocolError):
        decode_record("[" * 200_000)


def test_an_event_of_a_newer_version_is_kept() -> None:
    line = '{"seq": 7, "time": 1.5, "type": "MoonPhased", "data": {"phase": "full"}}'
    record = decode_record(line)
    assert record == Record(7, 1.5, UnknownEvent("MoonPhased", {"phase": "full"}))
    assert "MoonPhased" in describe(record.event)
    assert json.loads(encode_record(record))["type"] == "MoonPhased"


def test_a_number_that_json_has_no_word_for_is_refused_by_the_writer() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode_record(Record(1, 0.0, StepCompleted(1, 0, math.nan, 1e-4, 1.0, 0.1)))


def test_requests_have_ids_of_their_own() -> None:
    assert Request(Stop()).id != Request(Stop()).id


def test_a_journal_of_before_tensors_and_swap_were_told_is_still_read() -> None:
    data = {"process": 1, "device": 2, "device_limit": 3, "system_available": 4}
    line = json.dumps({"seq": 1, "time": 1.0, "command_id": None, "type": "MemorySampled", "data": data})
    assert decode_record(line).event == MemorySampled(1, 2, 3, 4, device_tensors=0, swap_used=0)


def test_a_path_in_an_odd_encoding_comes_back() -> None:
    record = Record(1, 1.0, CheckpointSaved(5, "checkpoints/\udcff", "command", 1))
    assert decode_record(encode_record(record)) == record
