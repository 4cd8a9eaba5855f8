"""How commands and events are written as lines of JSON, and read back with every fault noticed."""

import json
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
_REQUEST_LINE, _RECORD_LINE = msgspec.json.Decoder(_RequestLine), msgspec.json.Decoder(_RecordLine)
_EVENTS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event) if kind is not UnknownEvent}
_COMMANDS: dict[str, type[Command]] = {kind.__name__: kind for kind in get_args(Command)}


def _parse(line: str | bytes, decoder: "msgspec.json.Decoder[_Line]") -> _Line:
    try:
        try:
            return decoder.decode(line)  # a sixth of the time of json.loads
        except msgspec.DecodeError:  # json knows the half of a surrogate pair, as a path in an odd encoding leaves it
            return msgspec.convert(json.loads(line), decoder.type)
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
    message = _parse(line, _REQUEST_LINE)
    if message.type not in _COMMANDS:
        raise ProtocolError(f"unknown type {message.type!r}")
    return Request(_body(message, _COMMANDS[message.type]), message.id), message.key


def encode_record(record: Record) -> str:
    """A journal line, without its end of line."""
    return _encode(record.event, seq=record.seq, time=record.time, command_id=record.command_id)


def decode_record(line: str | bytes) -> Record:
    """A journal line. An unknown type becomes an UnknownEvent; raises ProtocolError for anything malformed."""
    message = _parse(line, _RECORD_LINE)
    kind = _EVENTS.get(message.type)
    if kind is None:
        event: Event = UnknownEvent(message.type, message.data if isinstance(message.data, dict) else {})
    else:
        event = _body(message, kind)
    return Record(message.seq, message.time, event, message.command_id)
