"""What a setting may be: the words that stand for a value, and the types and bounds that are read from its field."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BeforeValidator, Discriminator, Tag
from pydantic.fields import FieldInfo

Number = TypeVar("Number")


def _checkpointing_mode(value: object) -> object:
    """diffusers' scripts know an on/off flag: on means the cheap mode, off means none."""
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower(), value)
    return {True: "attention", False: "none"}[value] if isinstance(value, bool) else value


def _auto_word(value: object) -> str:
    return "auto" if value == "auto" else "number"


def _none_word(value: object) -> object:
    return None if isinstance(value, str) and value.lower() in {"none", "null", ""} else value


NONE_WORD, ON_OFF = BeforeValidator(_none_word), BeforeValidator(_checkpointing_mode)
# The tags keep a wrong number from being told twice, the second time as not being auto.
AutoOr = Annotated[
    Annotated[Literal["auto"], Tag("auto")] | Annotated[Number, Tag("number")],
    Discriminator(_auto_word),
]


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
