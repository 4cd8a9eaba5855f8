"""The main process of a run and one that follows it, threads here: what meets one of them, both have to answer."""

import queue
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import torch.distributed
from accelerate import Accelerator
from safetensors.torch import load_file
from torch.nn import functional

from engine.contract import protocol as p
from engine.contract.adjustments import read_adjustments
from engine.contract.config import TrainingConfig
from engine.contract.errors import DataError
from engine.contract.run_dir import RunDir, Workspace, create_run
from engine.following import follow
from engine.inbox import Inbox
from engine.process_group import ALONE, PartedError, ProcessGroup
from engine.training import train_run
from tests.engine.threads_as_processes import ThreadsAsProcesses

STEPS = 6

Spoil = Callable[[torch.Tensor], torch.Tensor]  # of a query (B, heads, S, d)


class Pair:
    """A run in two threads; the follower's is the one of the test."""

    def __init__(self, run: RunDir, log_dir: Path) -> None:
        self.run, self.log_dir = run, log_dir
        self.commands: queue.Queue[p.Request] = queue.Queue()
        self.events: list[p.Event] = []
        self.answers: dict[type[p.Event], Callable[[p.Event], None]] = {}
        self.threads = ThreadsAsProcesses()

    def emit(self, event: p.Event, _: str | None = None) -> None:
        self.events.append(event)
        if answer := self.answers.get(type(event)):
            answer(event)

    def train(self) -> None:
        """Raises what the main process raises; what the follower raises then is a PartedError."""
        with ThreadPoolExecutor(1) as pool:
            main = pool.submit(train_run, self.run, self.log_dir, Inbox(self.commands, self.emit), self.emit)
            main.add_done_callback(lambda done: self.threads.leave() if done.exception() else None)
            try:
                follow(self.run)
            except PartedError:
                assert main.exception()
            except BaseException:
                self.threads.leave()
                raise
        main.result()

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def adapter(self) -> dict[str, torch.Tensor]:
        return load_file(self.run.lora_weights / "adapter_model.safetensors")


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """A process that follows ignores SIGTERM from then on, and hands that down; this one is not to."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def make_run(tiny_config: Callable[..., TrainingConfig], tmp_path: Path) -> Callable[..., RunDir]:
    def make(name: str, **changes: Any) -> RunDir:
        settings = {
            "max_train_steps": STEPS, "train_batch_size": 2, "gradient_accumulation_steps": 4, "checkpointing_steps": 2,
            "validation_steps": 100, "num_validation_images": 0, "save_final_pipeline": False,
        }  # fmt: skip
        return create_run(Workspace(tmp_path), name, tiny_config(**{**settings, **changes}))

    return make


@pytest.fixture
def pair(make_run: Callable[..., RunDir], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    pair = Pair(make_run("pair", num_processes=2), tmp_path / "log")

    def join(config: TrainingConfig) -> ProcessGroup:
        if config.num_processes == 1:
            return ALONE
        return ProcessGroup(int(threading.current_thread() is threading.main_thread()), 2)

    monkeypatch.setattr(ProcessGroup, "join", join)
    monkeypatch.setattr(torch.distributed, "all_reduce", pair.threads.all_reduce)
    return pair


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> Callable[[Spoil], None]:
    """Lets the attention of the follower fail in training."""

    def make(spoil: Spoil) -> None:
        real = functional.scaled_dot_product_attention

        def attention(query: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            trains = torch.is_grad_enabled() and threading.current_thread() is threading.main_thread()
            return real(spoil(query) if trains else query, *args, **kwargs)

        monkeypatch.setattr(functional, "scaled_dot_product_attention", attention)

    return make


def test_two_learn_what_one_learns(make_run: Callable[..., RunDir], pair: Pair) -> None:
    pair.train()
    alone = Pair(make_run("alone"), pair.log_dir)
    train_run(alone.run, alone.log_dir, Inbox(alone.commands, alone.emit), alone.emit)
    assert [event.step for event in pair.of(p.StepCompleted)] == list(range(1, STEPS + 1))
    losses, expected = ([event.train_loss for event in each.of(p.StepCompleted)] for each in (pair, alone))
    assert losses == pytest.approx(expected, rel=1e-4), "of all samples, not only of the main process's own"
    for name, weight in pair.adapter().items():
        torch.testing.assert_close(weight, alone.adapter()[name], rtol=0, atol=1e-5)


def test_memory_that_runs_out_in_one_makes_both_do_with_less(pair: Pair, fault: Callable[[Spoil], None]) -> None:
    def out_of_memory(query: torch.Tensor) -> torch.Tensor:
        if query.shape[0] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return query

    fault(out_of_memory)
    pair.train()
    told = [(event.train_batch_size, event.gradient_accumulation_steps) for event in pair.of(p.MicroBatchChanged)]
    assert told == [(1, 8)]
    assert read_adjustments(pair.run).train_batch_size == 1
    assert [event.step for event in pair.of(p.StepCompleted)] == list(range(1, STEPS + 1))


@pytest.mark.parametrize("moved", [7, 0], ids=["in the update", "between the sum and the update"])
@pytest.mark.parametrize("in_main", [True, False], ids=["the main process", "the follower"])
def test_an_update_that_fails_in_one_is_taken_back_by_both(
    make_run: Callable[..., RunDir], pair: Pair, monkeypatch: pytest.MonkeyPatch, in_main: bool, moved: int
) -> None:
    """Seven of the weights have moved there when memory runs out, or none; all of them have in the other.

    It is the last step, after which the other one could have left.
    """
    updates, update = [0], cast(Callable[..., None], torch._fused_adamw_)
    clip = Accelerator.clip_grad_norm_

    def kernel(*tensors: list[torch.Tensor], **settings: object) -> None:
        """`tensors` are parallel lists: weights, gradients and what AdamW remembers of them."""
        if moved and is_its_turn():
            update(*(one[:moved] for one in tensors), **settings)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        update(*tensors, **settings)

    def clip_gradients(*given: Any) -> Any:
        if not moved and is_its_turn():
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return clip(*given)

    def is_its_turn() -> bool:
        is_here = (threading.current_thread() is not threading.main_thread()) == in_main
        updates[0] += is_here
        return is_here and updates[0] == STEPS

    monkeypatch.setattr(torch, "_fused_adamw_", kernel)
    monkeypatch.setattr(Accelerator, "clip_grad_norm_", clip_gradients)
    pair.train()
    assert [event.from_step for event in pair.of(p.RunResumed)] == [STEPS - 2]
    assert [event.train_batch_size for event in pair.of(p.MicroBatchChanged)] == [1]
    assert [event.step for event in pair.of(p.StepCompleted)] == [1, 2, 3, 4, 5, 5, 6]
    monkeypatch.undo()
    alone = Pair(make_run("alone"), pair.log_dir)
    train_run(alone.run, alone.log_dir, Inbox(alone.commands, alone.emit), alone.emit)
    for name, weight in pair.adapter().items():
        torch.testing.assert_close(weight, alone.adapter()[name], rtol=1e-4, atol=1e-5)


def test_numbers_that_break_in_one_are_named_and_both_go_back(pair: Pair, fault: Callable[[Spoil], None]) -> None:
    def spoil(query: torch.Tensor) -> torch.Tensor:
        done = [event.step for event in pair.events if isinstance(event, p.StepCompleted | p.StepSkipped)]
        return query * float("nan") if done[-1:] in ([2], [3], [4]) and not pair.of(p.RunResumed) else query

    fault(spoil)
    pair.train()
    skipped = pair.of(p.StepSkipped)
    assert [(event.step, len(event.samples)) for event in skipped] == [(3, 4), (4, 4), (5, 4)], (
        "half are the follower's"
    )
    assert [event.from_step for event in pair.of(p.RunResumed)] == [2]
    assert [event.step for event in pair.of(p.StepCompleted)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("moment", [p.PhaseProgressed, p.TrainingPrepared, p.StepCompleted])
def test_both_stop_where_the_main_process_is_told_to(pair: Pair, moment: type[p.Event]) -> None:
    def stop(_: p.Event) -> None:
        pair.commands.put(p.Request(p.Stop(save=True)))

    pair.answers[moment] = stop
    pair.train()
    (finished,) = pair.of(p.RunFinished)
    assert not finished.completed
    assert finished.step == len(pair.of(p.StepCompleted)) < STEPS


def test_nobody_waits_for_a_main_process_that_has_failed(pair: Pair) -> None:
    pair.run.data_file.write_text("{}")
    with pytest.raises(DataError, match="not the one that the run began with"):
        pair.train()
    assert pair.of(p.StepCompleted) == []
