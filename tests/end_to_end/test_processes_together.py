"""A run that trains in two processes: obeyed, killed one by one, and in the end what one process alone would have made.

One run meets everything, since each start of three processes costs seconds.
"""

import os
import signal
from collections.abc import Callable
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from engine import control
from engine.contract import protocol as p
from engine.contract.run_dir import RunDir
from engine.contract.run_state import RunState

Launch = Callable[..., RunDir]
WatchRun = Callable[[RunDir], Any]

PATIENCE = 60.0  # seconds; on a good day a second


def is_worker_started(event: p.Event) -> bool:
    return isinstance(event, p.WorkerStarted)


def is_about_a_process(event: p.Event) -> bool:
    return isinstance(event, p.LogRecorded) and event.text.startswith("Process ")


class Processes:
    """Those of one worker: accelerate's launcher, and what it has started, by rank."""

    def __init__(self, following: Any) -> None:
        self.launcher = psutil.Process(following.until(is_worker_started).event.pid)
        resumed = following.until(lambda event: isinstance(event, p.TrainingPrepared | p.RunResumed)).event
        self.step = resumed.from_step if isinstance(resumed, p.RunResumed) else 0
        self.ranks = {int(process.environ()["RANK"]): process for process in self.launcher.children()}

    def are_gone(self) -> bool:
        return psutil.wait_procs([self.launcher, *self.ranks.values()], PATIENCE)[1] == []


@pytest.mark.timeout(300)  # five starts of three processes that each import torch
def test_two_processes_obey_survive_each_death_and_learn_what_one_learns(
    launch: Launch, watch: WatchRun, undisturbed: RunDir
) -> None:
    # the effective batch of `undisturbed`, in micro-batches of one sample
    run = launch(train_batch_size=1, gradient_accumulation_steps=4, num_processes=2, checkpointing_steps=4)
    following = watch(run)

    first = Processes(following)
    assert sorted(first.ranks) == [0, 1]
    following.until_step(2)
    for command in (p.Pause(), p.Validate(), p.SaveCheckpoint()):
        assert control.send_and_wait(run, command).obeyed
    first.ranks[1].kill()  # while the main process waits for a command
    told = following.until(is_about_a_process).event.text
    assert told == "Process 2 of 2: it was ended by SIGKILL; the others were ended with it"
    died = following.until(lambda event: isinstance(event, p.WorkerDied)).event
    assert died.cause == "it was ended by SIGKILL"
    assert first.are_gone()

    second = Processes(following)
    following.until(lambda event: event == p.StateChanged("paused"))
    assert control.send_and_wait(run, p.Resume()).obeyed
    following.until_step(second.step + 2)
    second.ranks[0].kill()
    assert following.until(is_about_a_process).event.text.startswith("Process 1 of 2: it was ended by SIGKILL")
    assert second.are_gone()

    third = Processes(following)
    following.until_step(third.step + 2)
    third.ranks[1].send_signal(signal.SIGSTOP)
    assert control.send_and_wait(run, p.RestartWorker()).obeyed
    assert third.are_gone()

    fourth = Processes(following)
    following.until_step(fourth.step + 2)
    os.kill(int(run.lock.read_text()), signal.SIGKILL)
    assert fourth.are_gone()
    assert run.state() is RunState.INTERRUPTED

    control.restart(run)
    records = following.until_the_end()
    assert run.state() is RunState.FINISHED
    saved = [record.event.why for record in records if isinstance(record.event, p.CheckpointSaved)]
    assert saved[0] == "interrupted", "they saved when their supervisor was gone"
    alone, together = (load_file(each.lora_weights / "adapter_model.safetensors") for each in (undisturbed, run))
    assert together.keys() == alone.keys()
    for name, weight in together.items():
        torch.testing.assert_close(weight, alone[name], rtol=0, atol=1e-5)
