"""What the device hands to the CPU is told by the run, and every other warning is left alone."""

import warnings
from collections.abc import Iterator

import pytest

from engine.contract.protocol import Event, WarningRaised
from engine.fallback_watch import watch_fallbacks

FALLBACK = (
    "The operator 'aten::linalg_qr' is not currently supported on the MPS backend and will fall back to run on the "
    "CPU. This may have performance implications."
)
Heard = tuple[list[Event], list[warnings.WarningMessage]]


@pytest.fixture
def heard() -> Iterator[Heard]:
    """What a watched process tells of its run, and what it prints."""
    events: list[Event] = []
    with warnings.catch_warnings(record=True) as printed:
        warnings.simplefilter("always")
        watch_fallbacks(lambda event, _: events.append(event))
        yield events, printed


def test_a_fallback_is_told_with_its_operator(heard: Heard) -> None:
    warnings.warn(FALLBACK, UserWarning, stacklevel=1)
    told, printed = heard
    (event,) = told
    assert isinstance(event, WarningRaised)
    assert "aten::linalg_qr" in event.why
    assert [str(warning.message) for warning in printed] == [FALLBACK]


def test_other_warnings_are_only_printed(heard: Heard) -> None:
    warnings.warn("a setting will be removed", FutureWarning, stacklevel=1)
    told, printed = heard
    assert not told
    assert len(printed) == 1
