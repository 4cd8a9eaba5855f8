"""One run that is tortured: its own workspace, its processes, what it says, and the wounds that can be given to it."""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from engine import control
from engine.contract.config_file import find_config, load_config
from engine.contract.errors import RunError
from engine.contract.journal import JournalReader
from engine.contract.protocol import Event, Record, Resume, StateChanged, WorkerDied, WorkerStarted
from engine.contract.run_dir import RunDir, Workspace
from engine.contract.run_state import RunState
from tests.torture.processes import PLAN, TrialFailure, await_gone, by_id, living, send

STEPS = 12
SETTINGS: dict[str, Any] = {
    "resolution": 32, "train_batch_size": 2, "gradient_accumulation_steps": 2, "max_train_steps": STEPS,
    "lr_warmup_steps": 2, "num_validation_images": 1, "validation_inference_steps": 2, "validation_steps": 6,
    "checkpointing_steps": 3, "checkpoints_total_limit": 2,
    "save_final_pipeline": False, "dataloader_num_workers": 0, "device": "cpu", "run_name": "trial",
}  # fmt: skip
FAULTS = Path(__file__).resolve().parent / "faults"
LOOK = 0.005  # seconds between looks at the journal
PATIENCE = 120.0  # seconds for anything to happen in a run; far more than it ever takes


@dataclass
class Moment:
    """The first event that `wanted` accepts, and some seconds more."""

    name: str
    wanted: Callable[[Event], bool]
    delay: float


@dataclass
class Trial:
    """A run in a workspace of its own, with the demo model and a copy of the cache of `shared`, unless that is it."""

    folder: Path
    shared: Workspace
    seed: int
    faults: list[dict[str, Any]] = field(default_factory=list)
    spared: list[str] = field(default_factory=list)  # patterns of paths that a full disk spares
    events: list[Record] = field(default_factory=list)
    noticed_after: list[float] = field(default_factory=list)  # seconds from a worker's death to WorkerDied
    orphaned_for: list[float] = field(default_factory=list)  # seconds from a supervisor's death to its worker's end
    starts: int = 0
    torn: set[Path] = field(default_factory=set)  # checkpoints that were damaged from outside
    deeds: list[str] = field(default_factory=list)  # what was done to it, for the report of a failure

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.workspace = Workspace(self.folder / "workspace")
        self.run = RunDir(self.workspace.outputs / str(SETTINGS["run_name"]))
        self.workspace.outputs.mkdir(parents=True)
        if self.shared != self.workspace:
            (self.workspace.outputs / ".demo").symlink_to(self.shared.outputs / ".demo")
            shutil.copytree(self.shared.cache, self.workspace.cache)
        self.plan = self.folder / "plan.json"
        self.disk_full, self.refused = self.folder / "disk_full", self.folder / "refused.log"
        self._reader = JournalReader(self.run.journal)
        self._unread: list[Record] = []

    def marker(self, name: str) -> Path:
        """The file by which a fault says that it has come."""
        return self.folder / f"{name}.marker".replace(" ", "_")

    # ---- its life ---------------------------------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        """What every process of the run finds, and is known by."""
        plan = {
            "workspace": str(self.workspace.root), "spared": self.spared, "disk_full": str(self.disk_full),
            "refused": str(self.refused), "faults": self.faults,
        }  # fmt: skip
        self.plan.write_text(json.dumps(plan, indent=2))
        search = os.pathsep.join([str(FAULTS), *filter(None, [os.environ.get("PYTHONPATH")])])
        ours = {PLAN: str(self.plan), "PYTHONPATH": search, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        return {**os.environ, **ours}

    def launch(self) -> None:
        """Start the run, through the door that a console uses."""
        config = load_config(find_config("demo", self.workspace.root), SETTINGS)
        self._start(lambda: control.launch(self.workspace, config))

    def resume(self) -> None:
        """Start it again after it ended early."""
        self._start(lambda: control.restart(self.run))

    def _start(self, start: Callable[[], object]) -> None:
        self.starts += 1
        before = dict(os.environ)
        os.environ.update(self.environment())
        try:
            start()
        except RunError:
            if not any(Path(fault["marker"]).exists() for fault in self.faults if "marker" in fault):
                raise  # only a supervisor that was killed while it started may not come up
        finally:
            os.environ.clear()
            os.environ.update(before)

    def supervisor(self) -> psutil.Process | None:
        """The one that holds the lock."""
        text = self.run.lock.read_text() if self.run.lock.exists() and self.run.is_live() else ""
        return by_id(int(text), self.plan) if text.isdecimal() else None

    def worker(self) -> psutil.Process | None:
        """The one started last."""
        pids = [record.event.pid for record in self.events if isinstance(record.event, WorkerStarted)]
        return by_id(pids[-1], self.plan) if pids else None

    def end_everything(self) -> None:
        """Leave no process of this trial, whatever became of it."""
        for process in living(self.plan):
            send(process, signal.SIGKILL)

    # ---- what it says -----------------------------------------------------------------------------------------------

    def read(self) -> list[Record]:
        """What is new in the journal."""
        new = self._reader.read_new()
        self.events += new
        self._unread += new
        return new

    def reread(self) -> None:
        """Begin the journal again, since it was torn under the reader."""
        seen = {record.seq for record in self.events}
        self._reader = JournalReader(self.run.journal)
        on_disk = self._reader.read_new()
        self.events = on_disk
        self._unread = [record for record in on_disk if record.seq not in seen]

    def await_event(self, wanted: Callable[[Event], bool], patience: float = PATIENCE) -> Record | None:
        """The next event of a kind; None if the run ends without it. A pause on the way is answered with Resume."""
        deadline = time.monotonic() + patience
        while True:
            ended = not self.run.is_live()
            self.read()
            while self._unread:
                record = self._unread.pop(0)
                if wanted(record.event):
                    return record
                if isinstance(record.event, StateChanged) and record.event.state == "paused":
                    self.send_resume()
            if ended:
                return None
            if time.monotonic() > deadline:
                raise TrialFailure(f"nothing of what was waited for came in {patience:.0f} s; run {self.run.state()}")
            time.sleep(LOOK)

    def await_moment(self, moment: Moment) -> bool:
        """Whether the moment came before the run ended."""
        if self.await_event(moment.wanted) is None:
            return False
        time.sleep(moment.delay)
        self.deeds.append(f"{moment.delay:.3f} s after {moment.name}:")
        return True

    def until_finished(self, lives: int = 6) -> None:
        """Let it go on, and resume it as often as it ends early."""
        for _ in range(lives):
            self.await_event(lambda _: False)
            state = self.run.state()
            if state is RunState.FINISHED:
                self.await_silence()
                return
            if state is RunState.FAILED:
                return
            self.await_orphan()
            self.resume()
        raise TrialFailure(f"not finished after {lives} starts; it is {self.run.state().value}")

    def send_resume(self) -> None:
        """As a person does who has made room."""
        if self.run.state() is RunState.PAUSED:
            outcome = control.send_and_wait(self.run, Resume())
            if not outcome.obeyed and self.run.is_live():
                raise TrialFailure(f"Resume was not obeyed: {outcome.text}")

    def await_silence(self) -> None:
        """Until the supervisor, which has let go of the lock, and all others are gone."""
        await_gone(self.plan, 10.0, "still alive after the run's end")

    def await_orphan(self) -> None:
        """Until a worker without supervisor has ended, if there is one."""
        started = time.monotonic()
        if not living(self.plan):
            return
        await_gone(self.plan, 30.0, "still alive without its supervisor")
        self.orphaned_for.append(time.monotonic() - started)

    # ---- wounds -----------------------------------------------------------------------------------------------------

    def kill_worker(self) -> bool:
        """SIGKILL; whether there was one to kill, and the run took note."""
        self.read()
        worker = self.worker()
        if worker is None:
            return False
        killed = time.time()
        self.deeds.append("worker killed")
        send(worker, signal.SIGKILL)
        self.note_death(killed)
        return True

    def note_death(self, killed: float) -> None:
        """Wait until the supervisor says that the worker died, unless that had already ended its work."""
        died = self.await_event(lambda event: isinstance(event, WorkerDied))
        if died is not None:
            self.noticed_after.append(died.time - killed)

    def kill_supervisor(self) -> bool:
        """SIGKILL; whether there was one to kill. Returns when its worker is gone too."""
        supervisor = self.supervisor()
        if supervisor is None:
            return False
        self.deeds.append("supervisor killed")
        send(supervisor, signal.SIGKILL)
        supervisor.wait(5)
        self.await_orphan()
        return True

    def cut_power(self) -> bool:
        """Everything at once; whether anything lived. The kernel's own part, Python's keeper of semaphores, is left."""
        struck = [process for process in living(self.plan) if "resource_tracker" not in " ".join(process.cmdline())]
        self.deeds.append("power cut")
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in struck:
                send(process, number)
        psutil.wait_procs(struck, 5)
        await_gone(self.plan, 10.0, "still alive after the power cut")
        return bool(struck)
