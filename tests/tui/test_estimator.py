"""Estimates in a thread: the newest settings count, and a workspace that cannot be read is told."""

import threading
from pathlib import Path

import pytest

from engine import control
from engine.contract.config import TrainingConfig
from engine.contract.run_dir import Workspace
from tui.estimator import Estimated, Estimator

PATIENCE = 20.0  # seconds


class Answers:
    """Collects what is delivered."""

    def __init__(self) -> None:
        self.all: list[Estimated] = []
        self._came = threading.Condition()

    def take(self, estimated: Estimated) -> None:
        with self._came:
            self.all.append(estimated)
            self._came.notify_all()

    def wait_for(self, count: int) -> None:
        with self._came:
            assert self._came.wait_for(lambda: len(self.all) >= count, PATIENCE)


def test_settings_that_were_overtaken_are_not_estimated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, begun, may_go_on = Answers(), threading.Event(), threading.Event()
    estimate = control.estimate

    def slow(workspace: Workspace, config: TrainingConfig) -> control.Estimate:
        begun.set()
        assert may_go_on.wait(PATIENCE)
        return estimate(workspace, config)

    monkeypatch.setattr(control, "estimate", slow)
    estimator = Estimator(Workspace(tmp_path), answers.take)
    configs = [TrainingConfig(lora_rank=rank) for rank in (1, 2, 3)]
    estimator.ask(configs[0])
    assert begun.wait(PATIENCE)
    estimator.ask(configs[1])
    estimator.ask(configs[2])
    may_go_on.set()
    answers.wait_for(2)
    assert [answer.config for answer in answers.all] == [configs[0], configs[2]]


def test_a_workspace_that_is_gone_is_told_in_words(tmp_path: Path) -> None:
    answers = Answers()
    Estimator(Workspace(tmp_path / "gone"), answers.take).ask(TrainingConfig())
    answers.wait_for(1)
    assert answers.all[0].estimate is None
    assert "No such file" in answers.all[0].fault
