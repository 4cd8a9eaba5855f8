"""A run of many steps for the console to show, and a worker that goes on with it."""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.contract import protocol as p
from engine.contract.config import TrainingConfig
from engine.contract.journal import JournalWriter
from engine.contract.run_dir import RunDir, RunLock, Workspace, create_run
from engine.contract.wire import encode_record

STEPS = 100_000
PACE = 1.4  # seconds a step
EVERY = 500  # steps from a validation and a checkpoint to the next


def long_run(folder: Path, steps: int = STEPS) -> RunDir:
    """A run with all that a worker tells between two steps, in the order and as often as it does."""
    config = TrainingConfig(max_train_steps=2 * steps)
    run = create_run(Workspace(folder), "long", config)
    events: list[p.Event] = [p.RunStarted("long", 1, 2 * steps, "logs"), p.StateChanged("running")]
    for step in range(1, steps + 1):
        loss = 0.12 + 0.4 * math.exp(-step / 15_000) + 0.06 * math.sin(step * 2.4) ** 2
        events.append(p.StepCompleted(step, step // 11, loss, 2e-3 * (1 - step / 80 / steps), 0.5, PACE))
        events += beside(step)
        if step % EVERY == 0:
            events.append(p.ValidationLossMeasured(step, loss, (loss * 0.4, loss * 0.8, loss * 1.2, loss * 1.6)))
            events.append(p.CheckpointSaved(step, f"checkpoints/checkpoint-{step}", "schedule", 220_000))
            if (old := step - config.checkpoints_total_limit * EVERY) > 0:
                events.append(p.CheckpointRemoved(old, f"checkpoints/checkpoint-{old}"))
    with run.journal.open("w") as file:
        file.writelines(encode_record(p.Record(seq, PACE * seq, event)) + "\n" for seq, event in enumerate(events, 1))
    return run


def beside(step: int) -> list[p.Event]:
    """What else is told of a step: memory every two seconds at most, and where the time went after every tenth."""
    events: list[p.Event] = []
    if step % 2 == 0:
        events.append(p.MemorySampled(1_503_238_553 + step * 4096, 3_650_722_201, 11_489_235_763, 9_341_553_868))
    if step % 10 == 0:
        events.append(p.StepTimed(step, 0.01, 0.4, 0.9, 0.05))
    return events


@contextmanager
def training(run: RunDir, steps_per_second: float, first: int) -> Iterator[None]:
    """Steps from `first` on until the end, under the run's lock."""
    ended = threading.Event()

    def tell() -> None:
        writer, step = JournalWriter(run.journal), first
        while not ended.wait(1 / steps_per_second):
            loss = 0.1 + 0.02 * math.sin(step * 2.4)
            writer.append(p.StepCompleted(step, step // 11, loss, 1e-4, 0.5, 1 / steps_per_second))
            for event in beside(step):
                writer.append(event)
            step += 1
        writer.close()

    lock = RunLock.acquire(run)
    thread = threading.Thread(target=tell)
    thread.start()
    yield
    ended.set()
    thread.join()
    lock.release()
