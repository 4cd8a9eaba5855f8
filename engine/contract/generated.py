"""Pictures drawn on request: what is told of each while they are made, and the list that lies beside them."""

import contextlib
import json
from argparse import ArgumentTypeError
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from engine.contract.atomic_file import write_atomically
from engine.contract.protocol import PhaseProgressed

LIST = "samples.json"
MOST_PICTURES = 64  # of one prompt in one go
MOST_WEIGHT = 2.0  # of an adapter; beyond, pictures fall apart


@dataclass(frozen=True)
class GeneratedPicture:
    """A picture and all that is needed to draw it again; `file` is absolute, in the list a name beside it."""

    file: str
    prompt: str
    negative_prompt: str
    seed: int
    steps: int
    guidance: float
    model: str
    adapter: str | None  # path of its folder or file; None for the base model alone
    adapter_weight: float = 1.0
    fault: str = ""  # why the picture cannot be right


def picture_count(text: str) -> int:
    """How many pictures of each prompt. Raises ArgumentTypeError, for the command line and the form alike."""
    if text.strip().isdecimal() and 1 <= int(text) <= MOST_PICTURES:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is no whole number from 1 to {MOST_PICTURES}")


def adapter_weight(text: str) -> float:
    """How much an adapter counts. Raises ArgumentTypeError."""
    try:
        weight = float(text)
    except ValueError:
        weight = -1
    if 0 <= weight <= MOST_WEIGHT:
        return weight
    raise ArgumentTypeError(f"{text!r} is no number from 0 to {MOST_WEIGHT:g}")


def encode(said: PhaseProgressed | GeneratedPicture) -> str:
    """One line for whoever started the tool."""
    return json.dumps(msgspec.to_builtins(said), allow_nan=False)


def decode(line: str) -> PhaseProgressed | GeneratedPicture | None:
    """What a line says; None for one that some library printed."""
    with contextlib.suppress(msgspec.DecodeError):
        return msgspec.json.decode(line, type=PhaseProgressed)
    with contextlib.suppress(msgspec.DecodeError):
        return msgspec.json.decode(line, type=GeneratedPicture)
    return None


def write_list(folder: Path, pictures: list[GeneratedPicture]) -> None:
    """Write the list of the pictures in a folder, whole or not at all, so that the folder may be moved."""
    entries = [{**asdict(picture), "file": Path(picture.file).name} for picture in pictures]
    write_atomically(folder / LIST, json.dumps(entries, indent=2, ensure_ascii=False) + "\n")


def read_list(folder: Path) -> list[GeneratedPicture]:
    """The pictures of a folder, with absolute files; none if there is no list, or no whole one."""
    try:
        pictures = msgspec.json.decode((folder / LIST).read_bytes(), type=list[GeneratedPicture])
    except (OSError, msgspec.DecodeError):
        return []
    return [GeneratedPicture(**{**asdict(picture), "file": str(folder / picture.file)}) for picture in pictures]
