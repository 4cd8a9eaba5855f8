"""How fast a run trains, and where its time goes."""

import pytest

from engine.contract.protocol import StepCompleted
from tui import pace
from tui.step_history import StepHistory


def history(*seconds: float) -> StepHistory:
    steps = StepHistory()
    for number, each in enumerate(seconds, start=1):
        steps.append(StepCompleted(number, 0, 0.5, 1e-4, 0.5, each))
    return steps


def test_now_is_of_the_last_steps_and_mean_of_all() -> None:
    steps = history(*[60.0] * 20, *[2.0] * 20)
    assert pace.now(steps) == pytest.approx(30)
    assert pace.mean(steps) == pytest.approx(60 * 40 / 1240)
    assert (pace.now(history()), pace.mean(history())) == (None, None)


def test_the_trend_compares_with_the_steps_before() -> None:
    assert pace.trend(history(*[2.0] * 50)) == 0.0
    assert pace.trend(history(*[2.0] * 50, *[4.0] * 20)) == pytest.approx(-0.5)
    assert pace.trend(history(*[2.0] * 50, *[1.0] * 20)) == pytest.approx(1.0)
    assert pace.trend(history(*[2.0] * 20)) is None


def test_the_shares_add_up_with_validation_by_its_own_time() -> None:
    steps = history(*[2.0] * 30)  # one minute of training
    parts = {"data": 0.2, "forward": 0.6, "backward": 1.1, "optimizer": 0.1}
    shares = {one.name: one.share for one in pace.shares(steps, parts, validation_seconds=20.0)}
    assert shares["validation"] == pytest.approx(0.25)
    assert shares["backward"] == pytest.approx(0.75 * 0.55)
    assert sum(shares.values()) == pytest.approx(1)
    assert pace.shares(steps, {}, 20.0) == []


@pytest.mark.parametrize(
    ("step", "last", "every", "left"),
    [(0, 200, 50, 4), (49, 200, 50, 4), (50, 200, 50, 3), (190, 220, 50, 2), (220, 220, 50, 0), (7, 9, 0, 0)],
)
def test_validations_are_left_at_every_interval_and_after_the_last_step(
    step: int, last: int, every: int, left: int
) -> None:
    assert pace.validations_left(step, last, every) == left
