"""What a person types is obeyed or refused in words, with the exit code that says so; no supervisor is started here."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine import control
from engine.contract import protocol as p
from engine.contract.config import TrainingConfig
from engine.contract.journal import JournalWriter
from engine.contract.run_dir import RunDir, RunLock, Workspace, create_run
from engine.contract.saved_adapters import ADAPTER_FILE
from engine.control_socket import ControlSocket
from tui.cli import main
from tui.run_commands import HEADINGS

COMMANDS_ON_A_RUN = ["status", "watch", "pause", "resume", "checkpoint", "validate", "restart-worker", "stop", "attach"]


def step(number: int) -> p.StepCompleted:
    return p.StepCompleted(number, 0, 0.5 / number, 1e-4, 1.0, 2.0)


LIFE: list[p.Event] = [
    p.RunStarted("shoes", 101, 4, "logs/somewhere"),
    p.WorkerStarted(102, 0),
    p.StateChanged("preparing"),
    p.PhaseProgressed("caching latents", 1, 2),
    p.PhaseProgressed("caching latents", 2, 2),
    p.StateChanged("running"),
    step(1),
    p.WarningRaised("It is warm.", "Summer.", "Open a window."),
    step(2),
    p.ValidationLossMeasured(2, 0.25, (0.1, 0.2, 0.3, 0.4)),
    p.CheckpointSaved(2, "checkpoints/checkpoint-2", "schedule", 2**20),
]


class Terminal:
    """Types a command into this process and keeps what it said."""

    def __init__(self, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.workspace, self._capsys = Workspace(workspace), capsys
        self.out = self.err = ""

    def __call__(self, *words: str) -> int:
        code = main(["--workspace", str(self.workspace.root), *words])
        self.out, self.err = self._capsys.readouterr()
        assert "Traceback" not in self.err
        return code


@pytest.fixture
def shoelora(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(tmp_path, capsys)


def make_run(workspace: Workspace, *events: p.Event, name: str = "shoes") -> RunDir:
    run = create_run(workspace, name, TrainingConfig(max_train_steps=4))
    record(run, *events)
    return run


def record(run: RunDir, *events: p.Event) -> None:
    journal = JournalWriter(run.journal)
    for event in events:
        journal.append(event)
    journal.close()


@contextmanager
def live(run: RunDir) -> Iterator[RunLock]:
    lock = RunLock.acquire(run)
    try:
        yield lock
    finally:
        lock.release()


# ---- what is wrong before anything is done: exit code 2 -------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "--train_batchsize", "4"], "did you mean --train_batch_size?"),
        (["runs", "--jsno"], "unknown flag --jsno"),
        (["status", "--jsno"], "did you mean --json?"),
        (["status", "one", "two"], "unexpected argument two"),
        (["fly"], "invalid choice: 'fly'"),
        (["attach", "--images", "large"], "invalid choice: 'large'"),
        (["train", "--config", "dmo"], "Did you mean demo?"),
        (["train", "--train_batch_size", "0"], "train_batch_size = '0': input should be greater than or equal to 1"),
        (["preflight", "--lr_warmup_steps", "9000"], "lr_warmup_steps 9000 is longer than the run"),
        (["check", "--device", "mps", "--lora_dropout", "0.1"], "pytorch #194478"),
        (["sample", "--config", "{damaged}"], "not valid JSON"),
        (["sample", "--count", "0"], "argument --count: '0' is no whole number from 1 to 64"),
        (["sample", "--adapter-weight", "3"], "argument --adapter-weight: '3' is no number from 0 to 2"),
        (["sample", "--steps", "0"], "validation_inference_steps = '0': input should be greater than or equal to 1"),
        (["train", "--config", "{unknown}"], "unknown setting train_batchsize; did you mean train_batch_size?"),
    ],
)
def test_a_mistake_in_what_was_typed_exits_with_2_and_says_what_was_meant(
    words: list[str], said: str, shoelora: Terminal, tmp_path: Path
) -> None:
    files = {"{damaged}": "{", "{unknown}": '{"train_batchsize": 2}'}
    for name, text in files.items():
        (tmp_path / f"{name[1:-1]}.json").write_text(text)
    words = [str(tmp_path / f"{word[1:-1]}.json") if word in files else word for word in words]
    assert shoelora(*words) == 2
    assert said in shoelora.err
    assert not (tmp_path / "outputs").exists()


def test_sample_hands_on_what_was_typed(shoelora: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(shoelora.workspace)
    run.lora_weights.mkdir()
    (run.lora_weights / ADAPTER_FILE).touch()
    asked: list[tuple[TrainingConfig, list[str]]] = []

    def run_tool(_tool: str, config: TrainingConfig, _place: Workspace, words: list[str]) -> int:
        asked.append((config, words))
        return 0

    monkeypatch.setattr(control, "run_tool", run_tool)
    assert shoelora(
        "sample", "--prompt", "red", "blue shoes", "--count", "3", "--adapter", "shoes", "--adapter-weight", "0",
        "--steps", "9", "--guidance", "2", "--negative-prompt", "blurry", "--seed", "5", "--json", "--output", "out",
    ) == 0  # fmt: skip
    ((config, words),) = asked
    assert words == [
        "--prompt=red", "--prompt=blue shoes", f"--adapter={run.lora_weights}", f"--output={Path.cwd() / 'out'}",
        "--count=3", "--adapter-weight=0.0", "--json",
    ]  # fmt: skip
    assert (config.validation_inference_steps, config.validation_guidance_scale) == (9, 2)
    assert (config.validation_negative_prompt, config.seed) == ("blurry", 5)
    assert shoelora("sample", "--adapter", "boots") == 1
    assert "There is no adapter boots" in shoelora.err and "shoes" in shoelora.err


# ---- without a run --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS_ON_A_RUN)
def test_without_a_run_every_command_says_how_to_begin(command: str, shoelora: Terminal) -> None:
    assert shoelora(command) == 1
    assert "There is no run" in shoelora.err and "shoelora-tui train" in shoelora.err


@pytest.mark.parametrize("command", COMMANDS_ON_A_RUN)
def test_an_unknown_run_is_refused_with_those_there_are(command: str, shoelora: Terminal) -> None:
    make_run(shoelora.workspace)
    assert shoelora(command, "boots") == 1
    assert "There is no run boots" in shoelora.err and "shoes" in shoelora.err


def test_alone_and_without_a_run_it_says_how_to_begin(shoelora: Terminal) -> None:
    assert shoelora() == 0
    assert "shoelora-tui train --config demo" in shoelora.out


def test_an_empty_list_of_runs_is_no_error(shoelora: Terminal) -> None:
    assert shoelora("runs") == 0
    assert "No runs" in shoelora.out


def test_a_workspace_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["runs", "--workspace", str(tmp_path / "nowhere")]) == 1
    assert "There is no folder" in capsys.readouterr().err


def test_version_and_help(shoelora: Terminal) -> None:
    assert shoelora("--version") == 0
    assert shoelora.out.startswith("shoelora-tui 0.")
    assert shoelora("--help") == 0
    assert all(command in shoelora.out for command in [*COMMANDS_ON_A_RUN, "train", "runs", "check", "sample"])


# ---- looking at runs ------------------------------------------------------------------------------------------------


def test_status_in_words(shoelora: Terminal) -> None:
    with live(make_run(shoelora.workspace, *LIFE)):
        assert shoelora("status") == 0
    for part in ("shoes: ▶ running", "2 of 4", "0.2500", "30 steps/min", "4 s left", "checkpoint-2", "Open a window."):
        assert part in shoelora.out


def test_status_as_json_is_one_object_with_the_promised_names(shoelora: Terminal) -> None:
    with live(make_run(shoelora.workspace, *LIFE)):
        assert shoelora("status", "shoes", "--json") == 0
    status = json.loads(shoelora.out)
    assert set(status) >= {
        "name", "state", "reason", "started", "phase", "step", "max_train_steps", "steps_per_minute", "eta_seconds",
        "time_shares", "train_loss", "validation_losses", "learning_rate", "gradient_norm", "supervisor_pid", "memory",
        "checkpoints", "pictures", "adapter", "warnings", "failure", "last_seq",
    }  # fmt: skip
    assert (status["state"], status["step"], status["supervisor_pid"]) == ("running", 2, 101)
    assert [(one["step"], one["why"]) for one in status["checkpoints"]] == [(2, "schedule")]
    assert status["last_seq"] == len(LIFE)


def test_a_stalled_worker_is_told_in_words_in_columns_and_in_json(shoelora: Terminal) -> None:
    with live(make_run(shoelora.workspace, *LIFE, p.WorkerStalled(7200.0))):
        assert shoelora("status") == 0
        assert "shoes: ▶ running, stalled 2 h 00 min, training" in shoelora.out
        assert "restart-worker" in shoelora.out
        assert shoelora("runs") == 0
        assert "▶ running, stalled 2 h 00 min  2/4" in shoelora.out
        assert shoelora("status", "--json") == 0
        assert json.loads(shoelora.out)["stalled_seconds"] == pytest.approx(7200, abs=60)


def test_a_run_that_nobody_works_on_is_told_as_interrupted(shoelora: Terminal) -> None:
    make_run(shoelora.workspace, *LIFE)
    assert shoelora("status", "--json") == 0
    status = json.loads(shoelora.out)
    assert (status["state"], status["supervisor_pid"], status["eta_seconds"]) == ("interrupted", None, None)


def test_watch_as_json_is_one_object_per_event_and_all_that_the_journal_has(shoelora: Terminal) -> None:
    run = make_run(shoelora.workspace, *LIFE, p.StateChanged("stopped"))
    assert shoelora("watch", "--json") == 0
    assert [json.loads(line) for line in shoelora.out.splitlines()] == [
        json.loads(line) for line in run.journal.read_text().splitlines()
    ]


@pytest.mark.parametrize(
    ("columns", "missing"), [(120, set()), (66, {"PACE"}), (40, {"PACE", "STARTED", "VALIDATION"})]
)
def test_a_narrow_terminal_gets_the_columns_that_fit(
    shoelora: Terminal, monkeypatch: pytest.MonkeyPatch, columns: int, missing: set[str]
) -> None:
    make_run(shoelora.workspace, *LIFE)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert shoelora("runs") == 0
    assert max(map(len, shoelora.out.splitlines())) <= columns
    assert set(HEADINGS) - set(shoelora.out.split()) == missing


def test_runs_as_json_are_one_object_per_line(shoelora: Terminal) -> None:
    make_run(shoelora.workspace, *LIFE, name="old")
    make_run(shoelora.workspace, name="damaged").config_file.write_text("{")
    assert shoelora("runs", "--json") == 0
    told = {one["name"]: one["state"] for one in map(json.loads, shoelora.out.splitlines())}
    assert told == {"old": "interrupted", "damaged": "damaged"}


def test_runs_are_listed_in_columns_the_newest_on_top_and_damaged_ones_as_damaged(shoelora: Terminal) -> None:
    old = make_run(shoelora.workspace, *LIFE, name="old")
    damaged = make_run(shoelora.workspace, name="damaged")
    damaged.config_file.write_text("{")
    for moment, run in enumerate((damaged, old), start=1):
        os.utime(run.config_file, (moment, moment))
    make_run(shoelora.workspace, p.StateChanged("finished"), name="new")
    assert shoelora("runs") == 0
    heading, *rows = shoelora.out.splitlines()
    assert [row.split()[0] for row in rows] == ["new", "old", "damaged"]
    column = heading.index("STATE")
    assert [row[column:].split("  ")[0] for row in rows] == ["✓ finished", "! interrupted", "? damaged"]
    assert rows[1][heading.index("STEP") :].startswith("2/4")


def test_signs_that_the_terminal_cannot_show_are_no_error(tmp_path: Path) -> None:
    make_run(Workspace(tmp_path), *LIFE)
    done = shell("--workspace", str(tmp_path), "runs", PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and "interrupted" in done.stdout


def test_a_reader_that_goes_away_is_no_error_message(tmp_path: Path) -> None:
    make_run(Workspace(tmp_path), *LIFE, *(step(number) for number in range(3, 5000)))
    with subprocess.Popen(
        [sys.executable, "-m", "tui.cli", "--workspace", str(tmp_path), "watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def shell(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tui.cli", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("last", "code"),
    [
        ([p.StateChanged("finished")], 0),
        ([p.StateChanged("stopped")], 0),
        ([p.RunFailed("It broke.", "Rust.", "Oil it."), p.StateChanged("failed")], 1),
        ([], 1),
    ],
)
def test_watch_tells_everything_line_by_line_and_how_the_run_ended(
    last: list[p.Event], code: int, shoelora: Terminal
) -> None:
    run = make_run(shoelora.workspace, *LIFE, *last)
    assert shoelora("watch") == code
    lines = shoelora.out.splitlines()
    assert [line for line in lines if line.startswith("step ")] == [
        "step 1 epoch 0 loss 0.5000 lr 1.00e-04 grad 1 2.00 s",
        "step 2 epoch 0 loss 0.2500 lr 1.00e-04 grad 1 2.00 s",
    ]
    assert "caching latents 2/2" in lines
    assert (f"shoelora-tui resume {run.path}" in shoelora.err) == (code == 1)


def test_of_a_long_phase_only_a_few_lines_are_told(shoelora: Terminal) -> None:
    run = make_run(shoelora.workspace)
    journal = JournalWriter(run.journal)
    for done in range(1, 1001):
        journal.append(p.PhaseProgressed("caching latents", done, 1000), moment=done / 100)  # ten seconds in all
    journal.close()
    shoelora("watch")
    told = ["caching latents 1/1000", "caching latents 501/1000, 5 s left", "caching latents 1000/1000"]
    assert shoelora.out.splitlines() == told


def test_the_console_needs_a_terminal(shoelora: Terminal) -> None:
    make_run(shoelora.workspace, *LIFE)
    for words in ([], ["attach"], ["attach", "shoes", "--readonly"]):
        assert shoelora(*words) == 1
        assert "needs a terminal" in shoelora.err and "shoelora-tui watch shoes" in shoelora.err


# ---- steering runs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["pause", "checkpoint", "validate", "stop"])
def test_an_ended_run_takes_no_command_and_says_why(command: str, shoelora: Terminal) -> None:
    make_run(shoelora.workspace, *LIFE, p.StateChanged("finished"))
    assert shoelora(command) == 1
    assert "finished: all steps are done" in shoelora.err


def test_a_run_at_work_needs_no_resume(shoelora: Terminal) -> None:
    with live(make_run(shoelora.workspace, *LIFE)):
        assert shoelora("resume") == 1
    assert "running" in shoelora.err


def test_a_finished_run_cannot_be_resumed(shoelora: Terminal) -> None:
    make_run(shoelora.workspace, *LIFE, p.StateChanged("finished"))
    assert shoelora("resume") == 1
    assert "all steps are done" in shoelora.err


def test_a_run_whose_config_was_damaged_cannot_be_resumed(shoelora: Terminal) -> None:
    run = make_run(shoelora.workspace, *LIFE)
    run.config_file.write_text('{"lora_rank": 0}')
    assert shoelora("resume") == 1
    assert "lora_rank = 0" in shoelora.err


def test_a_supervisor_that_does_not_answer_is_told(shoelora: Terminal) -> None:
    with live(make_run(shoelora.workspace, *LIFE)):
        assert shoelora("pause") == 1
    assert "did not answer" in shoelora.err


def test_a_taken_name_is_refused(shoelora: Terminal) -> None:
    make_run(shoelora.workspace)
    assert shoelora("train", "--config", "demo", "--run_name", "shoes", "--detach") == 1
    assert "already a run shoes" in shoelora.err


def first_request(control: ControlSocket) -> p.Request:
    """Answer on a run's socket as its supervisor does, until a command has come in."""
    requests: list[p.Request] = []

    def accept(request: p.Request) -> str:
        requests.append(request)
        return ""

    while not requests:
        for ready in select.select(control.readable, [], [])[0]:
            control.serve(ready, accept)
    return requests[0]


@contextmanager
def typed(workspace: Workspace, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, with Ctrl-C to be pressed."""
    with subprocess.Popen(
        [sys.executable, "-m", "tui.cli", "--workspace", str(workspace.root), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("words", "command", "answer", "code"),
    [
        (["pause"], p.Pause(), p.CommandCompleted("Pause", "paused after step 2"), 0),
        (["checkpoint"], p.SaveCheckpoint(), p.CommandRejected("SaveCheckpoint", "the disk is full"), 1),
        (["validate"], p.Validate(), p.CommandCompleted("Validate", "loss 0.25, 2 images"), 0),
        (["stop"], p.Stop(save=True), p.CommandCompleted("Stop", "saved at step 2"), 0),
        (["stop", "--no-save"], p.Stop(save=False), p.CommandCompleted("Stop", "nothing was saved"), 0),
    ],
)
def test_a_command_waits_until_it_was_obeyed_and_says_what_happened(
    words: list[str], command: p.Command, answer: p.Event, code: int, tmp_path: Path
) -> None:
    run = make_run(Workspace(tmp_path), *LIFE)
    control = ControlSocket(run)
    with live(run), typed(run.workspace, *words) as process:
        request = first_request(control)
        assert request.command == command
        journal = JournalWriter(run.journal)
        journal.append(p.CommandAccepted("any"), request.id)
        journal.append(p.CommandCompleted("other", "of somebody else"), "another id")
        journal.append(answer, request.id)
        journal.close()
        out, err = process.communicate()
    control.close()
    assert process.returncode == code
    assert (getattr(answer, "outcome", "") or getattr(answer, "reason", "")) in (err if code else out)
    assert "somebody else" not in out + err


FOLLOW = """
import sys
from pathlib import Path
from engine.contract.run_dir import RunDir
from tui.foreground import follow_training
sys.exit(follow_training(RunDir(Path(sys.argv[1]))))
"""


@contextmanager
def followed(run: RunDir) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", FOLLOW, str(run.path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"it ended without saying {text}")


def test_the_first_ctrl_c_asks_to_save_and_stop_and_the_end_is_waited_for(tmp_path: Path) -> None:
    run = make_run(Workspace(tmp_path), *LIFE)
    (run.lora_weights).mkdir()
    for name in ("README.md", "adapter_config.json", "adapter_model.safetensors", "shoes_kohya.safetensors"):
        (run.lora_weights / name).write_bytes(b"")
    control = ControlSocket(run)
    with live(run) as lock, followed(run) as process:
        read_until(process, "checkpoint-2 saved")
        process.send_signal(signal.SIGINT)
        assert first_request(control).command == p.Stop(save=True)
        record(run, step(3), p.StateChanged("stopping"), p.StateChanged("stopped"))
        lock.release()
        out, err = process.communicate()
    control.close()
    assert (process.returncode, err) == (0, "")
    assert out.count("step 3 epoch") == 1 and "step 2 epoch" not in out
    assert "Run shoes stopped at step 3 of 4." in out
    lines = out.splitlines()
    assert lines[-4:] == [
        f"Adapter: {run.lora_weights}",
        "  adapter_model.safetensors  for peft",
        "  shoes_kohya.safetensors    for ComfyUI, A1111",
        f"Go on with: shoelora-tui resume {run.path}",
    ]


def test_the_second_ctrl_c_leaves_the_run_to_itself(tmp_path: Path) -> None:
    run = make_run(Workspace(tmp_path), *LIFE)
    control = ControlSocket(run)
    with live(run), followed(run) as process:
        read_until(process, "checkpoint-2 saved")
        process.send_signal(signal.SIGINT)
        first_request(control)
        record(run, p.StateChanged("stopping"))
        read_until(process, "State: stopping")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate()
        assert run.is_live()
    control.close()
    assert process.returncode == 130
    assert f"shoelora-tui attach {run.path}" in out


@pytest.mark.parametrize(("state", "code"), [("finished", 0), ("failed", 1)])
def test_following_ends_with_the_run_and_says_what_it_made(state: p.RunStateName, code: int, tmp_path: Path) -> None:
    run = make_run(Workspace(tmp_path), *LIFE)
    log = tmp_path / "logs" / "somewhere"
    log.mkdir(parents=True)
    (log / "main_log.txt").write_text("")
    (run.final_pipeline).mkdir()
    record(run, p.StateChanged(state))
    with followed(run) as process:
        out, _ = process.communicate()
    assert process.returncode == code
    assert out.splitlines()[-3:] == [
        f"Run shoes {state} at step 2 of 4.",
        f"Merged pipeline: {run.final_pipeline}",
        f"Log: {log / 'main_log.txt'}",
    ]


def test_on_a_terminal_there_is_a_bar_with_loss_pace_and_time_left_and_warnings_above_it(tmp_path: Path) -> None:
    run = make_run(Workspace(tmp_path), *LIFE)
    ours, theirs = os.openpty()
    with live(run) as lock:
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
        process = subprocess.Popen([sys.executable, "-c", FOLLOW, str(run.path)], stdout=theirs, env=environment)
        os.close(theirs)
        seen = b""
        while b"left" not in seen:
            seen += os.read(ours, 4096)
        record(run, p.StateChanged("finished"))
        lock.release()
        assert process.wait() == 0
    os.close(ours)
    text = seen.decode()
    for part in ("running", "2/4", "loss 0.2500", "30 steps/min", "4 s left", "Warning: It is warm."):
        assert part in text
    assert "step 1 epoch" not in text
