"""What a setting may be, read from its field: types and bounds, also where it may be a number or a word."""

from collections.abc import Sequence
from typing import Any, get_args

from pydantic.fields import FieldInfo


def rules(field: FieldInfo) -> list[Any]:
    """What a setting's value has to keep; of one that may also be a word, what its number has to."""
    of_number = [info for kind in get_args(field.annotation) for info in getattr(kind, "__metadata__", ())]
    return [*field.metadata, *(rule for info in of_number if isinstance(info, FieldInfo) for rule in info.metadata)]


def or_auto(location: Sequence[int | str]) -> str:
    """What is to be added to the fault of a number that might have been the word auto; pydantic names its tag."""
    return ", or auto" if "number" in location else ""


def kinds(field: FieldInfo) -> set[Any]:
    """The types that a value may have; float | None has both."""
    return {field.annotation, *(getattr(kind, "__origin__", kind) for kind in get_args(field.annotation))}
