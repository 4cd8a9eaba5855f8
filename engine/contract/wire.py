"""How commands and events are written as lines of JSON, and read back with every fault noticed."""

import json
from functools import reduce
from operator import or_
from typing import Annotated, Any, TypeVar, get_args

import msgspec

from engine.contract.protocol import Command, Event, Record, Request, UnknownEvent


class ProtocolError(ValueError):
    """A line that is no message of this protocol."""


class _RequestLine(msgspec.Struct):
    type: str
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    key: str = ""
    data: Any = {}  # each line gets its own


class _RecordLine(msgspec.Struct):
    type: str
    seq: int
    time: float
    command_id: str | None = None
    data: Any = {}


_Line = TypeVar("_Line", _RequestLine, _RecordLine)
_EVENTS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event) if kind is not UnknownEvent}
_COMMANDS: dict[str, type[Command]] = {kind.__name__: kind for kind in get_args(Command)}


def _line_of(kind: type[Event]) -> Any:
    """A record line that holds this kind of event, and says so in its type."""
    envelope: list[Any] = [("seq", int), ("time", float), ("data", kind), ("command_id", str | None, None)]
    return msgspec.defstruct(f"{kind.__name__}Line", envelope, tag_field="type", tag=kind.__name__)


# Reads a line of any known kind in one go, told by its type: journals have a hundred thousand lines and more.
_READ_KNOWN = msgspec.json.Decoder(reduce(or_, map(_line_of, _EVENTS.values()))).decode


def _parse(line: str | bytes, kind: type[_Line]) -> _Line:
    """Any line; json also knows the half of a surrogate pair, as a path in an odd encoding leaves it."""
    try:
        return msgspec.convert(json.loads(line), kind)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {error}") from error
    except ValueError as error:
        raise ProtocolError(str(error)) from error


def _body(line: _RequestLine | _RecordLine, kind: Any) -> Any:
    try:
        return msgspec.convert(line.data, kind)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"{line.type}: {error}") from error


def _encode(kind: Command | Event, **envelope: object) -> str:
    """One line of strict JSON; a number that is not finite raises ValueError, since JSON has no word for it."""
    if isinstance(kind, UnknownEvent):
        name, data = kind.type, kind.data
    else:
        name, data = type(kind).__name__, msgspec.structs.asdict(kind)
    return json.dumps({**envelope, "type": name, "data": data}, allow_nan=False, separators=(",", ":"))


def encode_request(request: Request, key: str) -> str:
    """A command as one line for the socket; `key` is the secret from control.json."""
    return _encode(request.command, id=request.id, key=key)


def decode_request(line: str | bytes) -> tuple[Request, str]:
    """The request and the key it came with. Raises ProtocolError."""
    message = _parse(line, _RequestLine)
    if message.type not in _COMMANDS:
        raise ProtocolError(f"unknown type {message.type!r}")
    return Request(_body(message, _COMMANDS[message.type]), message.id), message.key


def encode_record(record: Record) -> str:
    """A journal line, without its end of line."""
    return _encode(record.event, seq=record.seq, time=record.time, command_id=record.command_id)


def decode_record(line: str | bytes) -> Record:
    """A journal line. An unknown type becomes an UnknownEvent; raises ProtocolError for anything malformed."""
    try:
        known = _READ_KNOWN(line)
        return Record(known.seq, known.time, known.data, known.command_id)
    except (msgspec.DecodeError, RecursionError):
        pass  # it is of another kind, or there is something wrong
    message = _parse(line, _RecordLine)
    kind = _EVENTS.get(message.type)
    if kind is None:
        event: Event = UnknownEvent(message.type, message.data if isinstance(message.data, dict) else {})
    else:
        event = _body(message, kind)
    return Record(message.seq, message.time, event, message.command_id)
