"""Launch a run, or start an ended one again: make its folder, resolve its config, start its supervisor."""

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from engine import demo, machine
from engine.contract.config import TrainingConfig
from engine.contract.contradictions import contradictions_on_a_mac
from engine.contract.errors import CheckpointError, ConfigError, DataError, RunError
from engine.contract.journal import replay
from engine.contract.protocol import RunStarted
from engine.contract.run_dir import RunDir, Workspace, create_run, list_runs

SUPERVISOR_PATIENCE = 30.0  # seconds for a supervisor to take its lock; it imports neither torch nor diffusers
LONGEST_STEM = 50  # characters of a run's name before the time; the whole may have 80


def launch(workspace: Workspace, config: TrainingConfig, preset: str = "train") -> RunDir:
    """Create a run and start its supervisor. Returns when the supervisor has taken charge.

    Raises RunError if the name is taken or the supervisor does not come up, ConfigError if settings contradict what
    auto becomes here, DataError or CheckpointError if a folder that the config names is not there, and ModelError if
    its preview decoder cannot be used: what can be seen at once shall not leave a failed run behind.
    """
    if wrong := contradictions_here(config):
        raise ConfigError("\n".join(wrong))
    name = config.run_name or free_name(workspace, preset)
    config = resolve(workspace, config).model_copy(update={"run_name": name})
    _require_folders(config)
    _require_preview_decoder(config)
    run = create_run(workspace, name, config)
    start_supervisor(run)
    return run


def contradictions_here(config: TrainingConfig) -> list[str]:
    """What contradicts the device that auto becomes on this machine; each begins with the setting to blame."""
    return list(contradictions_on_a_mac(config)) if machine.machine(cpu_only=False).is_metal else []


def _require_folders(config: TrainingConfig) -> None:
    data, checkpoint = Path(config.train_data_dir), config.resume_from_checkpoint
    if not data.is_dir():
        raise DataError(
            f"There is no folder {data}",
            "train_data_dir names it.",
            "Give --train_data_dir the folder of your pictures.",
        )
    if checkpoint and not Path(checkpoint).is_dir():
        raise CheckpointError(
            f"There is no folder {checkpoint}",
            "resume_from_checkpoint names it.",
            "Give the path of a checkpoint-<step> folder, or latest.",
        )


def _require_preview_decoder(config: TrainingConfig) -> None:
    """Only at the beginning: a run that has begun goes on without previews if their decoder is lost."""
    if config.preview_decoder:
        from engine.model_source import find_base_model, find_preview_decoder  # the hub's library takes a while to load

        find_preview_decoder(config.preview_decoder, find_base_model(config.pretrained_model_name_or_path))


def free_name(workspace: Workspace, preset: str) -> str:
    """A run name made of a preset's name and the time, not yet taken."""
    stem = re.sub(r"[^A-Za-z0-9.-]+", "_", preset).strip("._-")[:LONGEST_STEM] or "train"
    base = name = f"{stem}_{time.strftime('%Y%m%d-%H%M%S')}"
    number = 2
    while (workspace.outputs / name).exists():
        name, number = f"{base}-{number}", number + 1
    return name


def resolve(workspace: Workspace, config: TrainingConfig) -> TrainingConfig:
    """The config with paths made absolute, so that it means the same from every folder."""
    changes: dict[str, str] = {}
    model, data, begin = config.pretrained_model_name_or_path, config.train_data_dir, config.resume_from_checkpoint
    if embedded := demo.base_model(model):
        changes["pretrained_model_name_or_path"] = str(embedded)
    elif (local := workspace.root / Path(model).expanduser()).exists():
        changes["pretrained_model_name_or_path"] = str(local.resolve())
    if (decoder := config.preview_decoder) and (local := workspace.root / Path(decoder).expanduser()).exists():
        changes["preview_decoder"] = str(local.resolve())
    folder = demo.data_folder(data, workspace) or (workspace.root / Path(data).expanduser()).resolve()
    changes["train_data_dir"] = str(folder)
    if begin == "latest":
        changes["resume_from_checkpoint"] = str(newest_checkpoint_folder(workspace))
    elif begin is not None:
        changes["resume_from_checkpoint"] = str((workspace.root / Path(begin).expanduser()).resolve())
    return config.model_copy(update=changes)


def newest_checkpoint_folder(workspace: Workspace) -> Path:
    """The checkpoints folder of the run last started among those that have one. Raises RunError if none has."""
    for run in reversed(list_runs(workspace)):
        if any(run.checkpoints.glob("checkpoint-*")):
            return run.checkpoints
    raise RunError("No run here has a checkpoint", f"Looked in {workspace.outputs}.", "Give the checkpoint's folder.")


def restart(run: RunDir, allow_changed_data: bool = False) -> None:
    """Start a supervisor for a run that has none; it goes on from the newest good checkpoint.

    With `allow_changed_data` also if the pictures or captions are no longer those that the checkpoint has seen.
    Raises RunError if the run is live or has done all its steps.
    """
    state = run.state()
    if not state.is_resumable:
        raise RunError(f"Run {run.name} cannot be resumed", f"It is {state.value}: {state.meaning}.")
    run.config()  # a damaged config.json is told here, not in a log
    start_supervisor(run, allow_changed_data)


def start_supervisor(run: RunDir, allow_changed_data: bool = False) -> None:
    """Start the run's supervisor in a session of its own and wait until it has taken charge."""
    log_dir = run.workspace.log_dir(run.name)
    log_dir.mkdir(parents=True, exist_ok=True)
    output = log_dir / "worker_output.txt"
    seen = len(replay(run.journal))
    options = ["--allow-changed-data"] if allow_changed_data else []
    with output.open("ab") as file:
        process = subprocess.Popen(
            # -P: the user's folder must not come before the installed packages
            [sys.executable, "-P", "-m", "engine.supervisor", str(run.path), str(log_dir), *options],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            cwd=run.workspace.root,
        )
    threading.Thread(target=process.wait, daemon=True).start()  # so that it never stays a zombie of this console
    deadline = time.monotonic() + SUPERVISOR_PATIENCE
    while time.monotonic() < deadline:
        if any(isinstance(record.event, RunStarted) for record in replay(run.journal)[seen:]):
            return
        if process.returncode is not None:
            break
        time.sleep(0.05)
    said = output.read_text(errors="replace").strip() or "It said nothing."
    raise RunError(f"The supervisor of run {run.name} did not start", said, f"See {output}.")
