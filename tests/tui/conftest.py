"""A run as the console sees it: a folder with a journal, a lock and a socket, and no engine behind them."""

import math
import select
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from engine.contract import protocol as p
from engine.contract.config import TrainingConfig
from engine.contract.journal import JournalWriter
from engine.contract.run_dir import RunDir, RunLock, Workspace, create_run
from engine.contract.run_state import RunState, why_not
from engine.control_socket import ControlSocket

NOON = 1_780_000_000.0  # seconds since 1970; the first record's time
PROMPTS = [
    "a professional product photo of red casual shoes on white background",
    "a professional product photo of blue sneakers on a beige background",
    "a photo of green shoes on white background",
    "a pair of black casual shoes on a pink background",
]
COLOURS = ["#c03030", "#3050c0", "#30a050", "#303030"]
GROUNDS = ["#f4f4f4", "#d8c8a0", "#f0f0f0", "#f0b0c0"]


class RecordedRun:
    """Writes what a supervisor would write, one second apart, and holds the lock while it is alive."""

    def __init__(self, workspace: Workspace, name: str = "demo_noon", max_train_steps: int = 60) -> None:
        config = TrainingConfig(
            max_train_steps=max_train_steps, validation_prompts=PROMPTS, num_validation_images=4, resolution=64
        )
        self.dir: RunDir = create_run(workspace, name, config)
        self._writer = JournalWriter(self.dir.journal)
        self._lock: RunLock | None = RunLock.acquire(self.dir)
        self._time = NOON

    def tell(self, *events: p.Event, command_id: str | None = None) -> None:
        """Append events."""
        for event in events:
            self._time += 1
            self._writer.append(event, command_id, moment=self._time)

    def start(self) -> None:
        """What every run records before its first step."""
        self.tell(
            p.RunStarted(self.dir.name, 4001, self.dir.config().max_train_steps, "logs/2026-05-28/train_demo/120000"),
            p.StateChanged("preparing"),
            p.WorkerStarted(4002, 0),
        )

    def prepare(self) -> None:
        """Data and model are ready."""
        self.tell(p.TrainingPrepared("cpu", "neither GPU is there", "fp32", "exact everywhere", 88, 8, 2, 12_288))
        self.tell(p.StateChanged("running"))

    def steps(self, first: int, last: int) -> None:
        """Optimizer steps with a loss that falls and jitters the same way every time."""
        for step in range(first, last + 1):
            loss = 0.12 + 0.4 * math.exp(-step / 15) + 0.06 * math.sin(step * 2.4) ** 2
            self.tell(p.StepCompleted(step, step // 11, loss, 2e-3 * (1 - step / 80), 0.5 + 0.1 * (step % 3), 1.4))
        self.tell(p.MemorySampled(1_503_238_553, 3_650_722_201, 11_489_235_763, 9_341_553_868))

    def validate(self, step: int, count: int = 4) -> None:
        """A validation loss and drawn shoes, whose colour settles with the steps."""
        loss = 0.13 + 0.4 * math.exp(-step / 15)
        self.tell(p.ValidationLossMeasured(step, loss, (loss * 0.4, loss * 0.8, loss * 1.2, loss * 1.6)))
        self.dir.validation.mkdir(exist_ok=True)
        for index in range(count):
            path = self.dir.validation_image(step // 11, step, index)
            draw_shoe(path, index, step)
            relative = str(path.relative_to(self.dir.path))
            self.tell(p.ValidationImageSaved(step, index, relative, PROMPTS[index], 42 + index))

    def checkpoint(self, step: int, why: str = "schedule") -> None:
        """A checkpoint."""
        self.tell(p.CheckpointSaved(step, f"checkpoints/checkpoint-{step}", why, 220_000))

    def half_way(self) -> None:
        """The state in which a user meets most runs."""
        self.start()
        self.prepare()
        self.validate(0)
        self.steps(1, 20)
        self.validate(20)
        self.checkpoint(20)
        self.steps(21, 37)

    def finish(self) -> None:
        """Do the rest."""
        self.steps(38, 60)
        self.validate(60)
        self.checkpoint(60, "end")
        self.tell(p.StateChanged("stopping"), p.AdapterExported(60, ("lora_weights/adapter_model.safetensors",)))
        self.tell(p.RunFinished(60, True), p.StateChanged("finished"))

    def die(self) -> None:
        """The supervisor is gone, and its lock with it."""
        if self._lock:
            self._lock.release()
            self._lock = None


def draw_shoe(path: Path, index: int, step: int) -> None:
    """Something like a shoe from the side, 64 by 64 pixels."""
    image = Image.new("RGB", (64, 64), GROUNDS[index])
    draw = ImageDraw.Draw(image)
    draw.polygon([(8, 40), (10, 22), (24, 20), (36, 34), (56, 38), (58, 46), (8, 46)], fill=COLOURS[index])
    draw.rectangle((7, 46, 59, 51), fill="#ffffff", outline="#909090")
    draw.line((26, 24, 38, 34), fill="#e0e0e0", width=1 + (step > 0))
    image.save(path)


OF_THIS_TERMINAL = (
    "NO_COLOR", "TEXTUAL_THEME", "SSH_CONNECTION", "TMUX", "STY", "TERM_PROGRAM", "LC_TERMINAL", "LC_ALL", "LC_CTYPE"
)  # fmt: skip


@pytest.fixture
def same_everywhere(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same folder, hour and terminal on every machine, so that a screen has the same picture."""
    for name in OF_THIS_TERMINAL:
        monkeypatch.delenv(name, raising=False)
    for name, value in (("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LANG", "C.UTF-8")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("tui.cell_size.cell_pixels", lambda: (10, 20))
    monkeypatch.chdir(workspace.root)
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return Workspace(tmp_path)


@pytest.fixture
def recorded(workspace: Workspace) -> Iterator[RecordedRun]:
    """A live run with an empty journal."""
    run = RecordedRun(workspace)
    yield run
    run.die()


@pytest.fixture
def obeying(recorded: RecordedRun) -> Iterator[Callable[[Callable[[p.Request], None]], list[p.Command]]]:
    """Starts a real control socket for the run, which judges by the contract's table; `obey` does the rest."""
    ended = threading.Event()
    threads: list[threading.Thread] = []
    taken: list[p.Command] = []

    def begin(obey: Callable[[p.Request], None]) -> list[p.Command]:
        socket = ControlSocket(recorded.dir)

        def answer(request: p.Request) -> str:
            state = recorded.dir.recorded_state() or RunState.PREPARING
            if reason := why_not(state, type(request.command)):
                return reason
            taken.append(request.command)
            recorded.tell(p.CommandAccepted(type(request.command).__name__), command_id=request.id)
            obey(request)
            return ""

        def serve() -> None:
            while not ended.is_set():
                for ready in select.select(socket.readable, [], [], 0.05)[0]:
                    socket.serve(ready, answer)
            socket.close()

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return taken

    yield begin
    ended.set()
    for thread in threads:
        thread.join()
