"""Every step of a run as columns."""

import math

import pytest

from engine.contract.protocol import StepCompleted
from tui.step_history import StepHistory


def step(number: int, loss: float = 0.5) -> StepCompleted:
    return StepCompleted(number, number // 10, loss, 1e-4, 0.5, 1.5)


def history(*steps: StepCompleted) -> StepHistory:
    one = StepHistory()
    for each in steps:
        one.append(each)
    return one


def test_steps_come_back_as_they_were_told() -> None:
    told = [step(1), step(2, 0.25), step(5)]
    kept = history(*told)
    assert kept == told
    assert (kept[-1], kept[1:], len(kept)) == (step(5), told[1:], 3)
    assert kept != told[:2]


def test_a_step_that_is_told_again_takes_back_what_came_after() -> None:
    assert history(step(1), step(2), step(3), step(2, 0.1)) == [step(1), step(2, 0.1)]


def test_steps_are_found_by_number_also_where_some_were_skipped() -> None:
    kept = history(step(1), step(2), step(5))
    assert [kept.index_of(number) for number in (0, 1, 2, 3, 5, 6)] == [0, 0, 1, 2, 2, 3]


def test_smoothing_starts_at_the_first_loss_and_forgets_slowly() -> None:
    averages = history(step(1, 1.0), step(2, 0.0), step(3, 0.0)).smoothed(span=3)  # weights 1, 1/2, 1/4
    assert [averages[index] for index in range(3)] == [1, pytest.approx(1 / 3), pytest.approx(1 / 7)]


def test_a_spike_bends_no_average_and_a_loss_that_is_not_finite_none_at_all() -> None:
    steps = [step(number, 0.5) for number in range(1, 101)]
    kept = history(*steps, step(101, 1e9), step(102, math.nan), step(103, 0.5))
    averages = kept.smoothed(span=20)
    assert all(averages[index] < 0.65 for index in range(len(kept)))
    assert averages[101] == averages[100]


def test_the_average_is_the_same_whether_it_was_asked_for_in_between() -> None:
    told = [step(number, 1 / number) for number in range(1, 50)]
    asked, not_asked = history(*told[:20]), history(*told)
    asked.smoothed(10)
    for each in told[20:]:
        asked.append(each)
    assert asked.smoothed(10) == not_asked.smoothed(10)
    asked.take_back(30)
    assert len(asked.smoothed(10)) == 30
