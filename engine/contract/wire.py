"""How commands and events are written as lines of JSON, and read back with every fault noticed."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from engine.contract.protocol import Command, Event, Record, Request, UnknownEvent


class ProtocolError(ValueError):
    """A line that is no message of this protocol."""


# The validators themselves, since reading a long journal spends a quarter of its time in the methods around them.
_Read = Callable[[Any], Any]
_READ_JSON: _Read = TypeAdapter(Any).validator.validate_json
_EVENTS: dict[str, _Read] = {
    kind.__name__: TypeAdapter(kind).validator.validate_python for kind in get_args(Event) if kind is not UnknownEvent
}
_COMMANDS: dict[str, _Read] = {kind.__name__: TypeAdapter(kind).validator.validate_python for kind in get_args(Command)}


def _parse(line: str | bytes) -> dict[str, Any]:
    try:
        message = _from_json(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {error}") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError("no object with a type")
    return message


def _from_json(line: str | bytes) -> Any:
    try:
        return _READ_JSON(line)  # a third of the time of json.loads
    except ValueError:
        return json.loads(line)  # knows the half of a surrogate pair, as a path in an odd encoding leaves it


def _body(message: dict[str, Any], kinds: dict[str, _Read]) -> Any:
    try:
        return kinds[message["type"]](message.get("data", {}))
    except KeyError as error:
        raise ProtocolError(f"unknown type {error}") from error
    except ValidationError as error:
        raise ProtocolError(f"{message['type']}: {error.errors()[0]['msg']}") from error


def _encode(kind: object, **envelope: object) -> str:
    """One line of strict JSON; a number that is not finite raises ValueError, since JSON has no word for it."""
    if isinstance(kind, UnknownEvent):
        name, data = kind.type, kind.data
    else:
        name, data = type(kind).__name__, asdict(kind)  # type: ignore[call-overload]
    return json.dumps({**envelope, "type": name, "data": data}, allow_nan=False, separators=(",", ":"))


def encode_request(request: Request, key: str) -> str:
    """A command as one line for the socket; `key` is the secret from control.json."""
    return _encode(request.command, id=request.id, key=key)


def decode_request(line: str | bytes) -> tuple[Request, str]:
    """The request and the key it came with. Raises ProtocolError."""
    message = _parse(line)
    identity, key = message.get("id"), message.get("key", "")
    if not isinstance(identity, str) or not 1 <= len(identity) <= 64 or not isinstance(key, str):
        raise ProtocolError("a request needs an id and a key")
    return Request(_body(message, _COMMANDS), identity), key


def encode_record(record: Record) -> str:
    """A journal line, without its end of line."""
    return _encode(record.event, seq=record.seq, time=record.time, command_id=record.command_id)


def decode_record(line: str | bytes) -> Record:
    """A journal line. An unknown type becomes an UnknownEvent; raises ProtocolError for anything malformed."""
    message = _parse(line)
    seq, moment, cause = message.get("seq"), message.get("time"), message.get("command_id")
    if not isinstance(seq, int) or not isinstance(moment, int | float) or not isinstance(cause, str | None):
        raise ProtocolError("a record needs seq and time")
    if message["type"] not in _EVENTS:
        data = message.get("data")
        return Record(seq, moment, UnknownEvent(message["type"], data if isinstance(data, dict) else {}), cause)
    return Record(seq, moment, _body(message, _EVENTS), cause)
