"""Launch a run, send it a command, wait until it was obeyed; run a tool in a process of its own. No torch here."""

import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.contract.config import TrainingConfig
from engine.contract.errors import CheckpointError, DataError, RunError
from engine.contract.journal import follow, replay
from engine.contract.protocol import (
    Command,
    CommandAccepted,
    CommandCompleted,
    CommandRejected,
    Record,
    Request,
    RunStarted,
)
from engine.contract.run_dir import RunDir, Workspace, create_run, list_runs
from engine.contract.wire import encode_request

SUPERVISOR_PATIENCE = 30.0  # seconds for a supervisor to take its lock; it imports neither torch nor diffusers
ANSWER_PATIENCE = 10.0  # seconds for a supervisor to answer on its socket; it does nothing that takes long
LONGEST_STEM = 50  # characters of a run's name before the time; the whole may have 80
Tool = Literal["environment", "preflight", "sample"]


@dataclass(frozen=True)
class Outcome:
    """What became of a command."""

    obeyed: bool
    text: str


def launch(workspace: Workspace, config: TrainingConfig, preset: str = "train") -> RunDir:
    """Create a run and start its supervisor. Returns when the supervisor has taken charge.

    Raises RunError if the name is taken or the supervisor does not come up, DataError or CheckpointError if a folder
    that the config names is not there: what can be seen at once shall not leave a failed run behind.
    """
    name = config.run_name or free_name(workspace, preset)
    config = resolve(workspace, config).model_copy(update={"run_name": name})
    _require_folders(workspace, config)
    run = create_run(workspace, name, config)
    start_supervisor(run)
    return run


def _require_folders(workspace: Workspace, config: TrainingConfig) -> None:
    data, checkpoint = Path(config.train_data_dir), config.resume_from_checkpoint
    if data != workspace.demo_data and not data.is_dir():
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
    if model == "demo":
        changes["pretrained_model_name_or_path"] = str(workspace.demo_model)
    elif (local := workspace.root / Path(model).expanduser()).exists():
        changes["pretrained_model_name_or_path"] = str(local.resolve())
    demo_data = data == "demo"
    folder = workspace.demo_data if demo_data else (workspace.root / Path(data).expanduser()).resolve()
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


def send(run: RunDir, command: Command) -> Request:
    """Hand a command to a run's supervisor. Raises RunError, with the reason, if it is not accepted."""
    request = Request(command)
    name = type(command).__name__
    if not run.is_live():
        state = run.state()
        raise RunError(f"Run {run.name} took no {name}", f"It is {state.value}: {state.meaning}.")
    try:
        control = json.loads(run.control.read_text())
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_PATIENCE)
            connection.connect(control["socket"])
            connection.sendall(encode_request(request, control["key"]).encode() + b"\n")
            answer = json.loads(connection.makefile("rb").readline())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"The supervisor of run {run.name} did not answer",
            f"{type(error).__name__}: {error}",
            "Only the user who started a run can command it; see the log if that is you.",
        ) from error
    if not answer["accepted"]:
        raise RunError(f"Run {run.name} took no {name}", str(answer["reason"]))
    return request


def send_and_wait(run: RunDir, command: Command, on_record: Callable[[Record], None] | None = None) -> Outcome:
    """Send a command and wait until it was obeyed, however long that takes. Raises RunError if it is not accepted."""
    seen = max((record.seq for record in replay(run.journal)), default=0)
    request = send(run, command)
    for record in follow(run.journal, until=lambda: not run.is_live(), after_seq=seen):
        if on_record:
            on_record(record)
        if record.command_id != request.id:
            continue
        match record.event:
            case CommandCompleted(outcome=outcome):
                return Outcome(True, outcome)
            case CommandRejected(reason=reason):
                return Outcome(False, reason)
            case CommandAccepted() | _:
                pass
    state = run.state()
    return Outcome(False, f"the run ended first; it is {state.value}: {state.meaning}")


def tool_command(tool: Tool, arguments: Sequence[str] = ()) -> list[str]:
    """The command line that runs a tool of the engine in a process of its own, so that this one never loads torch."""
    return [sys.executable, "-P", "-m", f"engine.{tool}", *arguments]


def run_tool(tool: Tool, config: TrainingConfig, workspace: Workspace, arguments: Sequence[str] = ()) -> int:
    """Run a tool on a config, in this terminal; returns its exit code. The config travels over standard input."""
    text = resolve(workspace, config).model_dump_json()
    command = tool_command(tool, ["--workspace", str(workspace.root), *arguments])
    return subprocess.run(command, input=text, text=True, cwd=workspace.root, check=False).returncode
