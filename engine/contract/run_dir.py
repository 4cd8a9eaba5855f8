"""Every path name of a run, and how runs are created, listed, found and locked."""

import contextlib
import fcntl
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from engine.contract.atomic_file import write_atomically
from engine.contract.config import TrainingConfig
from engine.contract.config_file import read_settings, validate
from engine.contract.errors import RunError
from engine.contract.journal import newest
from engine.contract.protocol import StateChanged
from engine.contract.run_state import RunState

LOCK_PATIENCE = 2.0  # seconds; whoever only asks whether a run is alive holds the lock for an instant


@dataclass(frozen=True)
class Workspace:
    """The folder whose outputs/, logs/ and configs/ are used."""

    root: Path

    @property
    def outputs(self) -> Path:
        """One folder per run."""
        return self.root / "outputs"

    @property
    def logs(self) -> Path:
        """Logs and TensorBoard events, by day and run."""
        return self.root / "logs"

    @property
    def cache(self) -> Path:
        """Latents and embeddings, shared by all runs; may be deleted at any time while none is live."""
        return self.outputs / ".cache"

    def log_dir(self, run: str) -> Path:
        """A new folder for one start of a run: logs/<date>/train_<run>/<time>."""
        now = time.localtime()
        return self.logs / time.strftime("%Y-%m-%d", now) / f"train_{run}" / time.strftime("%H%M%S", now)


@dataclass(frozen=True)
class RunDir:
    """A run's folder and the name of everything in it."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name is its folder's."""
        return self.path.name

    @property
    def workspace(self) -> Workspace:
        """The workspace that the run belongs to."""
        return Workspace(self.path.parent.parent)

    @property
    def config_file(self) -> Path:
        """The complete configuration, frozen when the run was created."""
        return self.path / "config.json"

    @property
    def data_file(self) -> Path:
        """Which pictures and captions the run began with."""
        return self.path / "data.json"

    @property
    def adjustments_file(self) -> Path:
        """What the run itself changed of its configuration when memory ran out; absent until then."""
        return self.path / "adjustments.json"

    @property
    def journal(self) -> Path:
        """All events, one JSON object per line."""
        return self.path / "events.jsonl"

    @property
    def lock(self) -> Path:
        """Held by the supervisor for life; the only sign that a run is alive."""
        return self.path / "run.lock"

    @property
    def control(self) -> Path:
        """Address of the socket, and the key; readable by the owner alone."""
        return self.path / "control.json"

    @property
    def checkpoints(self) -> Path:
        """checkpoint-<step> folders."""
        return self.path / "checkpoints"

    @property
    def validation(self) -> Path:
        """Validation images."""
        return self.path / "validation"

    @property
    def lora_weights(self) -> Path:
        """The adapter in the formats of other software."""
        return self.path / "lora_weights"

    @property
    def final_pipeline(self) -> Path:
        """The base model with the adapter merged in."""
        return self.path / "final_pipeline"

    def validation_image(self, epoch: int, step: int, index: int, preview: bool = False) -> Path:
        """Where a validation image or a preview of it goes."""
        return self.validation / f"epoch{epoch:03d}_step{step:06d}_{index:02d}{'_preview' if preview else ''}.png"

    def config(self) -> TrainingConfig:
        """The frozen configuration. Raises ConfigError if the file is missing or was damaged."""
        settings = read_settings(self.config_file)
        return validate(settings, dict.fromkeys(settings, str(self.config_file)))

    def is_live(self) -> bool:
        """Whether a supervisor holds the lock."""
        try:
            with self.lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def holder(self) -> str:
        """The id of the process that holds the lock, or held it last."""
        return self.lock.read_text().strip() if self.lock.exists() else ""

    def recorded_state(self) -> RunState | None:
        """The last state in the journal, whether or not somebody still works on the run."""
        last = newest(self.journal, StateChanged)
        return RunState(last.state) if last else None

    def state(self) -> RunState:
        """Where the run stands now, with INTERRUPTED concluded from the free lock."""
        live = self.is_live()  # asked first: a run that ends in between has then recorded its last state
        recorded = self.recorded_state() or RunState.PREPARING
        return recorded if live or recorded.is_final else RunState.INTERRUPTED


class RunLock:
    """The exclusive lock on a run, free again the moment its holder ends, however it ends."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    @classmethod
    def acquire(cls, run: RunDir) -> Self:
        """Take the lock. Raises RunError, naming the holder, if a supervisor has it."""
        file = run.lock.open("a+")
        deadline = time.monotonic() + LOCK_PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    file.close()
                    raise RunError(
                        f"Run {run.name} is already being worked on",
                        f"Its lock is held by process {run.holder()}.",
                        f"Watch it with `shoelora-tui attach {run.name}`.",
                    ) from error
                time.sleep(0.05)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        return cls(file)

    def release(self) -> None:
        """Let go; closing the file is what frees the lock."""
        self._file.close()


def create_run(workspace: Workspace, name: str, config: TrainingConfig) -> RunDir:
    """Make a run's folder with its frozen config. Raises RunError if the name is taken."""
    run = RunDir(workspace.outputs / name)
    try:
        run.path.mkdir(parents=True)
    except FileExistsError as error:
        raise RunError(
            f"There is already a run {name}",
            f"{run.path} exists.",
            f"Continue it with `shoelora-tui resume {name}`, or choose another --run_name.",
        ) from error
    write_atomically(run.config_file, json.dumps(config.model_dump(), indent=2) + "\n")
    return run


def list_runs(workspace: Workspace) -> list[RunDir]:
    """All runs of a workspace, the one last started at the end: every folder with a config.json, however it is named.

    Left out are hidden ones, such as .cache, and names that no terminal could print.
    """
    folders = [path.parent for path in workspace.outputs.glob("*/config.json")]
    shown = [folder for folder in folders if folder.name.isprintable() and not folder.name.startswith(".")]
    return sorted(map(RunDir, shown), key=_last_start)


def _last_start(run: RunDir) -> float:
    """When a supervisor last took the lock, seconds since 1970; until the first one did, when the run was created."""
    moments = [0.0]
    for path in (run.config_file, run.lock):
        with contextlib.suppress(OSError):  # not there yet, or the run is just being removed
            moments.append(path.stat().st_mtime)
    return max(moments)


def find_run(workspace: Workspace, name_or_path: str) -> RunDir:
    """The run with a name or path, or the newest for `latest`. Raises RunError if there is none."""
    runs = list_runs(workspace)
    if name_or_path == "latest":
        if runs:
            return runs[-1]
        raise RunError(
            f"There is no run in {workspace.outputs}", remedy="Start one with `shoelora-tui train --config demo`."
        )
    path = Path(name_or_path).expanduser()
    for candidate in (workspace.outputs / name_or_path, path):
        if (candidate / "config.json").is_file():
            return RunDir(candidate.resolve())
    known = ", ".join(run.name for run in runs[-5:]) or "none"
    raise RunError(f"There is no run {name_or_path}", f"Newest runs in {workspace.outputs}: {known}.")
