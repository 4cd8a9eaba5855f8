"""Which of several processes that ended was the cause of the others' end."""

import signal
from types import SimpleNamespace
from typing import Any

import pytest

from engine.launcher import first_cause
from engine.worker import FAILED, PARTED

KILLED, ENDED = -signal.SIGKILL, -signal.SIGTERM


@pytest.mark.parametrize(
    ("failures", "cause"),
    [
        ({0: (PARTED, 10), 1: (KILLED, 10)}, 1),  # the main process noticed within the same second
        ({0: (KILLED, 10), 1: (PARTED, 10), 2: (ENDED, 10)}, 0),
        ({0: (KILLED, 40), 1: (KILLED, 10)}, 1),  # one that did not leave is killed after half a minute
        ({0: (ENDED, 10), 1: (1, 11)}, 1),
        ({0: (FAILED, 10), 1: (PARTED, 9)}, 0),
    ],
)
def test_what_ended_by_itself_is_the_cause(failures: dict[int, tuple[int, int]], cause: int) -> None:
    ended: Any = {rank: SimpleNamespace(exitcode=code, timestamp=at) for rank, (code, at) in failures.items()}
    assert first_cause(ended) == (cause, ended[cause])
