"""A worker is called stalled by its own pace, once and then at every doubling, and never while it is paused."""

from engine.contract import protocol as p
from engine.liveness import RECENT, SHORTEST_PATIENCE, UNMEASURED_PATIENCE, Liveness

STEP = p.StepCompleted(1, 0, 0.5, 1e-4, 1.0, 0.1)
MEMORY = p.MemorySampled(1, 1, 1, 1)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Worker:
    """Reports at given intervals."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.liveness = Liveness(self.clock)

    def reports(self, *events: p.Event, every: float = 1.0) -> None:
        for event in events:
            self.clock.now += every
            self.liveness.hear(event)

    def remarks(self, seconds: int) -> list[int]:
        """The silences remarked on, rounded, while nothing comes for some seconds, looked at twice a second."""
        remarks = []
        for _ in range(2 * seconds):
            self.clock.now += 0.5
            if (silence := self.liveness.remarkable_silence()) is not None:
                remarks.append(round(silence))
        return remarks


def test_a_fast_worker_is_stalled_after_the_shortest_patience_and_told_at_each_doubling() -> None:
    worker = Worker()
    worker.reports(STEP, STEP, MEMORY, every=0.25)
    assert worker.remarks(100) == [10, 20, 40, 80] == [SHORTEST_PATIENCE * 2**n for n in range(4)]


def test_a_slow_worker_has_ten_times_its_own_longest_recent_silence() -> None:
    worker = Worker()
    worker.reports(STEP, MEMORY, every=7)
    worker.reports(MEMORY, STEP, every=2)
    assert worker.remarks(150) == [70, 140]


def test_what_was_slow_long_ago_counts_no_more() -> None:
    worker = Worker()
    worker.reports(STEP, every=60)
    worker.reports(*[STEP] * RECENT, every=0.5)
    assert worker.remarks(15) == [10]


def test_one_that_has_not_trained_yet_has_a_long_patience() -> None:
    worker = Worker()
    assert worker.remarks(130) == [UNMEASURED_PATIENCE]
    worker = Worker()
    worker.reports(p.PhaseProgressed("caching", 1, 2), every=0.25)
    assert worker.remarks(130) == [UNMEASURED_PATIENCE]


def test_what_was_slow_before_the_first_step_is_no_measure_but_that_step_is() -> None:
    worker = Worker()
    worker.reports(p.StateChanged("running"), every=30)
    worker.reports(STEP, every=2)
    assert worker.remarks(25) == [20]


def test_one_that_writes_its_results_has_a_long_patience_again() -> None:
    worker = Worker()
    worker.reports(STEP, STEP, p.StateChanged("stopping"), every=0.25)
    assert worker.remarks(130) == [UNMEASURED_PATIENCE]


def test_a_paused_one_may_be_silent_and_its_silence_is_no_measure() -> None:
    worker = Worker()
    worker.reports(STEP, STEP, p.StateChanged("paused"), every=0.25)
    assert worker.remarks(1000) == []
    worker.reports(p.StateChanged("running"), every=0.25)
    assert worker.remarks(12) == [10]


def test_the_next_report_ends_the_stall_and_lengthens_the_patience() -> None:
    worker = Worker()
    worker.reports(STEP, every=0.25)
    assert worker.remarks(12) == [10]
    worker.reports(STEP, every=0.25)
    assert worker.remarks(122) == []
    assert worker.remarks(1) == [122]
