"""Real runs: a supervisor and a worker for each, on the demo model, ended by their own ids if a test leaves them."""

import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine import control
from engine.contract.config_file import find_config, load_config
from engine.contract.journal import follow, replay
from engine.contract.protocol import Event, Record, RunStarted, StepCompleted
from engine.contract.run_dir import RunDir, Workspace
from engine.contract.run_state import RunState

SETTINGS = {
    "resolution": 32, "train_batch_size": 2, "gradient_accumulation_steps": 2, "max_train_steps": 40,
    "lr_warmup_steps": 5, "num_validation_images": 1, "validation_inference_steps": 2, "validation_steps": 20,
    "checkpointing_steps": 10, "device": "cpu",
}  # fmt: skip

Launch = Callable[..., RunDir]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One workspace for runs that do not disturb each other, so that the demo is drawn and cached once.

    All pytest-xdist workers have it together: their folders lie side by side in that of the whole session.
    """
    base = tmp_path_factory.getbasetemp()
    return Workspace((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "end_to_end")


@pytest.fixture
def launch(shared_workspace: Workspace) -> Iterator[Launch]:
    runs: list[RunDir] = []

    def start(workspace: Workspace | None = None, **settings: Any) -> RunDir:
        place = workspace or shared_workspace
        config = load_config(find_config("demo", place.root), {**SETTINGS, **settings})
        worker = os.environ.get("PYTEST_XDIST_WORKER", "")  # two may launch within the same second
        runs.append(control.launch(place, config, f"demo-{worker}"))
        return runs[-1]

    yield start
    for run in runs:
        end(run)


def end(run: RunDir) -> None:
    """End a run that a test left alive; its worker follows its supervisor."""
    if run.is_live():
        pids = [record.event.supervisor_pid for record in replay(run.journal) if isinstance(record.event, RunStarted)]
        os.kill(pids[-1], signal.SIGKILL)


class Watch:
    """Follows a run's journal from its first record; fails if the run ends before what is waited for."""

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self.seen = 0

    def until(self, wanted: Callable[[Event], bool]) -> Record:
        for record in follow(self.run.journal, until=lambda: not self.run.is_live(), after_seq=self.seen):
            self.seen = record.seq
            if wanted(record.event):
                return record
        raise AssertionError(f"{self.run.name} ended as {self.run.state()} before that")

    def until_step(self, step: int) -> StepCompleted:
        event = self.until(lambda event: isinstance(event, StepCompleted) and event.step >= step).event
        assert isinstance(event, StepCompleted)
        return event

    def until_the_end(self) -> list[Record]:
        records = list(follow(self.run.journal, until=lambda: not self.run.is_live(), after_seq=self.seen))
        self.seen = records[-1].seq if records else self.seen
        return records


@pytest.fixture
def watch() -> Callable[[RunDir], Watch]:
    return Watch


@pytest.fixture(scope="session")
def undisturbed(shared_workspace: Workspace) -> RunDir:
    """40 steps in one go, made by whoever asks first; others wait for it."""
    os.environ["OMP_NUM_THREADS"] = "1"
    run = RunDir(shared_workspace.outputs / "undisturbed")
    shared_workspace.root.mkdir(exist_ok=True)
    with (shared_workspace.root / "undisturbed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not run.path.exists():
            config = load_config(find_config("demo", shared_workspace.root), SETTINGS | {"run_name": run.name})
            Watch(control.launch(shared_workspace, config)).until_the_end()
    assert run.state() is RunState.FINISHED, "its maker failed"
    return run
