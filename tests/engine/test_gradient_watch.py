from engine.contract.protocol import StepCompleted
from engine.gradient_watch import ENOUGH, GradientWatch


def completed(step: int, norm: float) -> StepCompleted:
    return StepCompleted(step, 0, 0.5, 1e-4, norm, 1.0)


def test_a_norm_a_hundred_times_the_median_warns_once_there_is_a_median() -> None:
    watch = GradientWatch()
    assert watch.see(completed(1, 1e9)) is None
    for step in range(2, ENOUGH + 3):
        assert watch.see(completed(step, 0.5)) is None
    assert watch.see(completed(20, 49.0)) is None
    warning = watch.see(completed(21, 51.0))
    assert warning is not None
    assert "step 21" in warning.what and "102 times" in warning.what
    assert watch.see(completed(22, 0.5)) is None, "one outlier does not move the median"
