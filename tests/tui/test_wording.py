"""Lengths of time, paces and states as a person reads them."""

import pytest

from engine.contract.run_state import RunState
from tui.wording import STATE_SIGNS, duration, loss, pace, state_words


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, "–"),
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (187, "3 min 07 s"),
        (3599.9, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (3 * 86400 + 4 * 3600, "3 d 04 h"),
    ],
)
def test_a_length_of_time_in_its_two_largest_units(seconds: float | None, told: str) -> None:
    assert duration(seconds) == told


@pytest.mark.parametrize(
    ("steps", "told"),
    [(None, "–"), (0.123456, "0.123 steps/min"), (12.345, "12.3 steps/min"), (1020.4, "1020 steps/min")],
)
def test_a_pace(steps: float | None, told: str) -> None:
    assert pace(steps) == told


def test_a_loss() -> None:
    assert (loss(None), loss(0.12345)) == ("–", "0.1235")


def test_every_state_has_a_sign_of_its_own() -> None:
    assert set(STATE_SIGNS) == set(RunState)
    assert len(set(STATE_SIGNS.values())) == len(RunState)
    assert state_words(RunState.PAUSED) == "‖ paused"
