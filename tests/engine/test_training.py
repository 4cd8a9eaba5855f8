"""The loop of a worker, in this process: what it does when numbers break, memory runs out or the disk is full.

Faults come from where they come in life: the attention of the device, the cached files, the file system.
"""

import errno
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import safetensors.torch
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.nn import functional

from engine import device as devices
from engine import export, machine
from engine.contract import protocol as p
from engine.contract.adjustments import read_adjustments
from engine.contract.config import TrainingConfig
from engine.contract.describe import describe
from engine.contract.errors import DataError, TrainingError
from engine.contract.run_dir import RunDir, Workspace, create_run
from engine.inbox import Inbox
from engine.training import train_run
from tests.tiny_base_model import write_preview_decoder

MakeConfig = Callable[..., TrainingConfig]
STEPS = 6


class Bench:
    """A run in this process: what it says is collected, what is put into `commands` it obeys."""

    def __init__(self, run: RunDir, log_dir: Path) -> None:
        self.run, self.log_dir = run, log_dir
        self.commands: queue.Queue[p.Request] = queue.Queue()
        self.events: list[p.Event] = []
        self.answers: dict[type[p.Event], Callable[[p.Event], None]] = {}

    def emit(self, event: p.Event, _: str | None = None) -> None:
        self.events.append(event)
        if answer := self.answers.get(type(event)):
            answer(event)

    def train(self, **options: Any) -> None:
        train_run(self.run, self.log_dir, Inbox(self.commands, self.emit), self.emit, **options)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def adapter(self) -> dict[str, torch.Tensor]:
        return load_file(self.run.lora_weights / "adapter_model.safetensors")


@pytest.fixture
def bench(tiny_config: MakeConfig, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    numbers = iter(range(100))

    def make(**changes: Any) -> Bench:
        settings = {
            "max_train_steps": STEPS, "train_batch_size": 4, "gradient_accumulation_steps": 1, "checkpointing_steps": 2,
            "validation_steps": 100, "num_validation_images": 0, "save_final_pipeline": False,
        }  # fmt: skip
        config = tiny_config(**{**settings, **changes})
        run = create_run(Workspace(tmp_path), f"run{next(numbers)}", config)
        return Bench(run, tmp_path / "log")

    yield make


class Attention:
    """The device's attention, made to fail; `fault` gets the number of the call and the query (B, heads, S, d)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fault: Callable[[int, torch.Tensor], torch.Tensor | None] = lambda _call, _query: None
        self.calls = 0
        real = functional.scaled_dot_product_attention

        def attention(query: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            self.calls += 1
            spoiled = self.fault(self.calls, query)
            return real(query, *args, **kwargs) if spoiled is None else real(spoiled, *args, **kwargs)

        monkeypatch.setattr(functional, "scaled_dot_product_attention", attention)


@pytest.fixture
def attention(monkeypatch: pytest.MonkeyPatch) -> Attention:
    return Attention(monkeypatch)


def out_of_memory(above: int) -> Callable[[int, torch.Tensor], None]:
    def fault(_: int, query: torch.Tensor) -> None:
        if torch.is_grad_enabled() and query.shape[0] > above:
            raise RuntimeError("MPS backend out of memory (MPS allocated: 30.00 GiB, max allowed: 30.00 GiB).")

    return fault


def test_out_of_memory_halves_the_micro_batch_and_repeats_the_step(
    bench: Callable[..., Bench], attention: Attention
) -> None:
    plain = bench()
    plain.train()
    attention.fault = out_of_memory(above=1)
    starved = bench()
    starved.train()
    told = [(e.train_batch_size, e.gradient_accumulation_steps) for e in starved.of(p.MicroBatchChanged)]
    assert told == [(2, 2), (1, 4)]
    assert [event.step for event in starved.of(p.StepCompleted)] == list(range(1, STEPS + 1))
    assert read_adjustments(starved.run).train_batch_size == 1
    for name, weight in plain.adapter().items():
        torch.testing.assert_close(starved.adapter()[name], weight, rtol=1e-4, atol=1e-6)


def test_what_memory_taught_holds_for_the_next_worker(bench: Callable[..., Bench], attention: Attention) -> None:
    attention.fault = out_of_memory(above=2)
    run = bench()
    run.answers[p.StepCompleted] = lambda _: run.commands.put(p.Request(p.Stop(save=True)))
    run.train()
    again = Bench(run.run, run.log_dir)
    again.train()
    assert again.of(p.MicroBatchChanged) == []
    assert again.of(p.RunFinished) == [p.RunFinished(STEPS, completed=True)]


def test_what_the_first_format_of_the_cache_left_is_deleted_and_told_once_and_nothing_else(
    bench: Callable[..., Bench], tmp_path: Path
) -> None:
    cache = Workspace(tmp_path).cache
    ours, others = "0123456789abcdef" * 2 + ".safetensors", ["mine.safetensors", "0123456789abcdef" * 2 + ".records"]
    for folder in ("latents-square1-512-0123456789abcdef", "embeddings-0123456789abcdef", "elsewhere"):
        (cache / folder).mkdir(parents=True)
        for name in (ours, *others):
            (cache / folder / name).write_bytes(bytes(2**20))
    first = bench(max_train_steps=1)
    first.train()
    left = {file.parent.name.partition("-")[0] for file in cache.rglob(ours)}
    assert left == {"elsewhere"}
    assert all(len(list(cache.rglob(name))) == 3 for name in others)
    told = "2.0 MiB of cache in a format that nothing reads were deleted"
    assert [event.text for event in first.of(p.LogRecorded) if "format" in event.text] == [told]
    second = bench(max_train_steps=1)
    second.train()
    assert not [event for event in second.of(p.LogRecorded) if "format" in event.text]


def test_what_auto_became_is_told_kept_and_resumed_exactly_also_where_memory_has_become_less(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_by_hand = bench(gradient_checkpointing="none")
    set_by_hand.train()
    run = bench(train_batch_size="auto", gradient_accumulation_steps=4, gradient_checkpointing="auto")
    run.answers[p.StepCompleted] = lambda _: run.commands.put(p.Request(p.Stop(save=True)))
    run.train()
    (told,) = run.of(p.TrainingPrepared)
    assert (told.train_batch_size, told.gradient_accumulation_steps, told.gradient_checkpointing) == (4, 1, "none")
    assert told.memory_reason.startswith("auto: about ")
    assert "micro-batches of 4 x 1, gradient_checkpointing none (auto: about" in describe(told)
    monkeypatch.setattr(machine, "memory", lambda: (2**30, 2**20))
    again = Bench(run.run, run.log_dir)
    again.train()
    assert again.of(p.TrainingPrepared)[0].train_batch_size == 4
    for name, weight in set_by_hand.adapter().items():
        assert torch.equal(again.adapter()[name], weight)


def test_memory_that_runs_out_after_auto_was_chosen_makes_the_choice_smaller(
    bench: Callable[..., Bench], attention: Attention
) -> None:
    attention.fault = out_of_memory(above=1)
    run = bench(train_batch_size="auto", gradient_accumulation_steps=4)
    run.train()
    told = [(e.train_batch_size, e.gradient_accumulation_steps) for e in run.of(p.MicroBatchChanged)]
    assert told == [(2, 2), (1, 4)]
    assert run.of(p.RunFinished) == [p.RunFinished(STEPS, completed=True)]


def test_a_run_that_fits_badly_is_warned_of(bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory", lambda: (2**20, 2**20))
    run = bench(train_batch_size="auto", gradient_accumulation_steps=4, gradient_checkpointing="auto")
    run.train()
    (warning,) = run.of(p.WarningRaised)
    assert warning.what == "Memory may run out" and "nothing fits well into the machine's 1.0 MiB" in warning.why
    assert run.of(p.RunFinished) == [p.RunFinished(STEPS, completed=True)]


def fail_halfway(monkeypatch: pytest.MonkeyPatch, update: int, then: Callable[[], None] = lambda: None) -> None:
    """Let memory run out in one of the updates to come, when seven of the weights have moved."""
    done, real = [0], cast(Callable[..., None], torch._fused_adamw_)

    def kernel(*tensors: list[torch.Tensor], **settings: object) -> None:
        """`tensors` are parallel lists: weights, gradients and what AdamW remembers of them."""
        done[0] += 1
        if done[0] != update:
            real(*tensors, **settings)
        else:
            real(*(one[:7] for one in tensors), **settings)
            then()
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(torch, "_fused_adamw_", kernel)


def test_out_of_memory_in_the_optimizer_goes_back_instead_of_stepping_twice(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = bench()
    plain.train()
    torn = bench()
    fail_halfway(monkeypatch, update=3)
    torn.train()
    assert [event.from_step for event in torn.of(p.RunResumed)] == [2], "the fault was met"
    for name, weight in plain.adapter().items():
        torch.testing.assert_close(torn.adapter()[name], weight, rtol=1e-4, atol=1e-6)


def test_weights_that_moved_halfway_are_never_saved_even_if_a_full_disk_holds_the_run_then(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In step 4, so that no good checkpoint bears the number of the last completed step."""
    disk = Disk(monkeypatch)
    plain = bench()
    plain.train()
    torn = bench()

    def save_and_go_on(event: p.Event) -> None:
        if isinstance(event, p.StateChanged) and event.state == "paused":
            disk.full = False
            for command in (p.SaveCheckpoint(), p.Resume()):
                torn.commands.put(p.Request(command))

    torn.answers[p.StateChanged] = save_and_go_on
    fail_halfway(monkeypatch, update=4, then=lambda: setattr(disk, "full", True))
    torn.train()
    assert [event.state for event in torn.of(p.StateChanged)] == ["running", "paused", "running", "stopping"]
    assert [event.from_step for event in torn.of(p.RunResumed)] == [2]
    assert [event.step for event in torn.of(p.CheckpointSaved)] == [2, 4, 6]
    for name, weight in plain.adapter().items():
        torch.testing.assert_close(torn.adapter()[name], weight, rtol=1e-4, atol=1e-6)


def test_memory_that_never_suffices_fails_with_advice(bench: Callable[..., Bench], attention: Attention) -> None:
    attention.fault = out_of_memory(above=0)
    run = bench()
    with pytest.raises(TrainingError, match="batch size 1 and full checkpointing") as raised:
        run.train()
    assert raised.value.remedy
    modes = [event.gradient_checkpointing for event in run.of(p.MicroBatchChanged)]
    assert modes[-2:] == ["attention", "full"]


def nan_in(steps: set[int], run: Bench) -> Callable[[int, torch.Tensor], torch.Tensor | None]:
    """NaN in the attention of the steps with these numbers."""

    def fault(_: int, query: torch.Tensor) -> torch.Tensor | None:
        done = [e.step for e in run.events if isinstance(e, p.StepCompleted | p.StepSkipped)]
        spoilt = torch.is_grad_enabled() and (done[-1] if done else 0) + 1 in steps
        return query * float("nan") if spoilt else None

    return fault


def test_a_step_that_is_not_finite_is_skipped_and_its_samples_are_named(
    bench: Callable[..., Bench], attention: Attention
) -> None:
    run = bench()
    attention.fault = nan_in({3}, run)
    run.train()
    (skipped,) = run.of(p.StepSkipped)
    assert skipped.step == 3 and len(skipped.samples) == 4
    assert [event.step for event in run.of(p.StepCompleted)] == [1, 2, 4, 5, 6]
    assert all(bool(torch.isfinite(weight).all()) for weight in run.adapter().values())


def test_three_in_a_row_go_back_once_with_a_lower_rate(bench: Callable[..., Bench], attention: Attention) -> None:
    run = bench(checkpointing_steps=2, max_train_steps=8)
    went_back = threading.Event()
    run.answers[p.RunResumed] = lambda _: went_back.set()
    spoil = nan_in({3, 4, 5}, run)
    attention.fault = lambda call, query: None if went_back.is_set() else spoil(call, query)
    run.train()
    assert [event.step for event in run.of(p.StepSkipped)] == [3, 4, 5]
    assert [event.from_step for event in run.of(p.RunResumed)] == [2], "nothing is saved amid steps that are skipped"
    rates = {event.step: event.learning_rate for event in run.of(p.StepCompleted)}
    assert rates[8] == pytest.approx(rates[1] / 2)
    assert run.of(p.RunFinished) == [p.RunFinished(8, completed=True)]


def test_the_lower_rate_outlives_the_worker(bench: Callable[..., Bench], attention: Attention) -> None:
    run = bench(max_train_steps=8)
    went_back = threading.Event()

    def stop(_: p.Event) -> None:
        went_back.set()
        run.commands.put(p.Request(p.Stop(save=True)))

    run.answers[p.RunResumed] = stop
    spoil = nan_in({3, 4, 5}, run)
    attention.fault = lambda call, query: None if went_back.is_set() else spoil(call, query)
    run.train()
    again = Bench(run.run, run.log_dir)
    again.train()
    rates = [event.learning_rate for event in again.of(p.StepCompleted)]
    assert rates == pytest.approx([run.of(p.StepCompleted)[0].learning_rate / 2] * 6)


def test_numbers_that_stay_broken_end_the_run_with_advice(bench: Callable[..., Bench], attention: Attention) -> None:
    run = bench(checkpointing_steps=100)
    attention.fault = lambda _, query: query * float("nan") if torch.is_grad_enabled() else None
    with pytest.raises(TrainingError, match="also with half the learning rate"):
        run.train()
    assert [event.step for event in run.of(p.StepSkipped)] == [1, 2, 3, 1, 2, 3]
    assert not run.run.lora_weights.exists()


class Disk:
    """A disk that takes no more while `full` is set; the boundary is the flush that every checkpoint waits for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import os

        self.full = False
        real = os.fsync

        def fsync(descriptor: int) -> None:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)


def test_a_full_disk_holds_the_run_until_there_is_room(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    plain = bench()
    plain.train()
    run = bench()

    def fill(event: p.Event) -> None:
        disk.full = isinstance(event, p.StepCompleted) and event.step == 3

    def make_room(event: p.Event) -> None:
        if isinstance(event, p.StateChanged) and event.state == "paused":
            assert event.reason == "the disk is full: a checkpoint could not be written"
            assert sorted(path.name for path in run.run.checkpoints.iterdir()) == ["checkpoint-2"]
            disk.full = False
            run.commands.put(p.Request(p.Resume()))

    run.answers = {p.StepCompleted: lambda e: fill(e) if e.step == 3 else None, p.StateChanged: make_room}  # type: ignore[union-attr]
    run.train()
    states = [(event.state, event.reason != "") for event in run.of(p.StateChanged)]
    assert states == [("running", False), ("paused", True), ("running", False), ("stopping", True)]
    assert [event.step for event in run.of(p.CheckpointSaved)] == [2, 4, 6]
    assert all(torch.equal(weight, plain.adapter()[name]) for name, weight in run.adapter().items())


def test_a_full_disk_that_safetensors_meets_holds_the_run_too(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """safetensors writes by itself and has an error of its own for it."""
    full, real = [True], safetensors.torch.save_file

    def save_file(*args: Any, **kwargs: Any) -> None:
        if full[0]:
            raise SafetensorError("I/O error: No space left on device (os error 28)")
        real(*args, **kwargs)

    monkeypatch.setattr(export, "save_file", save_file)
    run = bench()

    def make_room(event: p.Event) -> None:
        if isinstance(event, p.StateChanged) and event.state == "paused":
            full[0] = False
            run.commands.put(p.Request(p.Resume()))

    run.answers[p.StateChanged] = make_room
    run.train()
    assert [event.state for event in run.of(p.StateChanged)] == ["running", "stopping", "paused", "stopping"]
    assert run.of(p.RunFinished) == [p.RunFinished(STEPS, completed=True)]
    assert run.adapter()


def test_a_run_that_does_not_fit_on_the_disk_is_refused_before_it_begins(bench: Callable[..., Bench]) -> None:
    run = bench(num_validation_images=256, validation_steps=1, max_train_steps=10_000_000, resolution=64)
    with pytest.raises(TrainingError, match="too little room") as raised:
        run.train()
    assert "GiB" in raised.value.what
    assert not run.run.validation.exists()


def test_changed_data_are_refused_unless_allowed(bench: Callable[..., Bench]) -> None:
    run = bench()
    run.answers[p.StepCompleted] = lambda _: run.commands.put(p.Request(p.Stop(save=True)))
    run.train()
    identities = run.run.data_file.read_text()
    run.run.data_file.write_text(identities.replace("{", '{"extra": "a-b",', 1))
    again = Bench(run.run, run.log_dir)
    with pytest.raises(DataError, match="not the one that the run began with"):
        again.train()
    allowed = Bench(run.run, run.log_dir)
    allowed.train(allow_changed_data=True)
    assert allowed.of(p.RunFinished) == [p.RunFinished(STEPS, completed=True)]


def test_a_checkpoint_comes_before_the_validation_of_its_step(bench: Callable[..., Bench]) -> None:
    run = bench(validation_steps=2)
    run.train()
    order = [type(e).__name__ for e in run.events if isinstance(e, p.CheckpointSaved | p.ValidationLossMeasured)]
    assert order == ["ValidationLossMeasured", *["CheckpointSaved", "ValidationLossMeasured"] * 3]


def test_a_stop_in_the_last_validation_can_be_resumed_to_the_end(bench: Callable[..., Bench]) -> None:
    run = bench(num_validation_images=4, validation_inference_steps=4)
    last = [False]

    def stop(event: p.Event) -> None:
        last[0] = isinstance(event, p.StepCompleted) and event.step == STEPS

    def in_validation(_: p.Event) -> None:
        if last[0]:
            run.commands.put(p.Request(p.Stop(save=False)))

    run.answers = {p.StepCompleted: stop, p.ValidationLossMeasured: in_validation}
    run.train()
    assert run.of(p.RunFinished) == [p.RunFinished(STEPS, completed=False)]
    again = Bench(run.run, run.log_dir)
    again.train()
    assert again.of(p.RunFinished) == [p.RunFinished(STEPS, completed=True)]
    assert len(again.of(p.ValidationImageSaved)) == 4, "the validation that was cut off is made up"
    assert again.run.lora_weights.exists()


def test_memory_too_small_for_validation_costs_pictures_not_the_run(
    bench: Callable[..., Bench], attention: Attention
) -> None:
    run = bench(num_validation_images=2)

    def starved(_: int, _query: torch.Tensor) -> None:
        if run.of(p.StateChanged) and not torch.is_grad_enabled():  # not while the pictures are encoded
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    attention.fault = starved
    run.train()
    assert any("memory ran out" in warning.what for warning in run.of(p.WarningRaised))
    assert run.of(p.ValidationImageSaved) == []
    assert run.of(p.RunFinished) == [p.RunFinished(STEPS, completed=True)]


def test_a_worker_says_what_the_time_until_its_first_step_went_into(bench: Callable[..., Bench]) -> None:
    run = bench()
    run.train()
    (ready,) = [event.text for event in run.of(p.LogRecorded) if event.text.startswith("Ready to train")]
    parts = [part.split(" ")[0] for part in ready.partition(": ")[2].split(", ")]
    assert parts == ["data", "weights", "adapter"]
    told = [type(event) for event in run.events]
    assert told.index(p.LogRecorded) < told.index(p.StepCompleted)


@pytest.fixture(scope="module")
def preview_decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small autoencoder with random weights, in the layout of TAESD."""
    folder = tmp_path_factory.mktemp("tiny") / "decoder"
    write_preview_decoder(folder)
    return folder


def test_previews_come_between_validations_are_marked_and_leave_no_trace_in_the_weights(
    bench: Callable[..., Bench], preview_decoder: Path
) -> None:
    settings = {"num_validation_images": 5, "validation_steps": 4, "checkpointing_steps": 3}
    plain = bench(**settings)
    plain.train()
    run = bench(**settings, preview_decoder=str(preview_decoder), preview_steps=1)
    run.train()
    told = [(event.step, event.index, event.preview) for event in run.of(p.ValidationImageSaved)]
    full = [(step, index, False) for step in (0, 4, STEPS) for index in range(5)]
    light = [(step, index, True) for step in (1, 2, 3, 5) for index in range(4)]
    assert sorted(told) == sorted(full + light)
    for event in run.of(p.ValidationImageSaved):
        assert event.path.endswith("_preview.png") == event.preview
        with Image.open(run.run.path / event.path) as image:
            image.load()
            assert (image.size, image.text["preview"]) == ((64, 64), "yes" if event.preview else "no")
    for name, weight in plain.adapter().items():
        assert torch.equal(run.adapter()[name], weight)


def test_a_stop_within_previews_resumes_exactly_and_makes_no_preview_up(
    bench: Callable[..., Bench], preview_decoder: Path
) -> None:
    plain = bench()
    plain.train()
    run = bench(num_validation_images=2, preview_decoder=str(preview_decoder), preview_steps=2)

    def stop(event: Any) -> None:
        if event.preview:
            run.commands.put(p.Request(p.Stop()))

    run.answers[p.ValidationImageSaved] = stop
    run.train()
    assert run.of(p.RunFinished) == [p.RunFinished(2, completed=False)]
    again = Bench(run.run, run.log_dir)
    again.train()
    assert {event.step for event in again.of(p.ValidationImageSaved) if event.preview} == {4}
    for name, weight in plain.adapter().items():
        assert torch.equal(again.adapter()[name], weight)


def test_a_run_goes_on_without_previews_where_their_decoder_is_lost(
    bench: Callable[..., Bench], tmp_path: Path
) -> None:
    run = bench(num_validation_images=2, preview_decoder=str(tmp_path / "lost"), preview_steps=1)
    run.train()
    (warning,) = run.of(p.WarningRaised)
    assert f"preview_decoder {tmp_path / 'lost'} cannot be used" in warning.what
    assert "no previews" in warning.remedy
    assert {event.step for event in run.of(p.ValidationImageSaved)} == {0, STEPS}
    assert run.of(p.RunFinished) == [p.RunFinished(STEPS, completed=True)]


def test_memory_that_runs_out_in_a_validation_measures_the_loss_once_and_draws_one_by_one(
    bench: Callable[..., Bench], attention: Attention
) -> None:
    plain = bench(num_validation_images=3, validation_guidance_scale=1.0)
    plain.train()
    run = bench(num_validation_images=3, validation_guidance_scale=1.0)

    def tight(_: int, query: torch.Tensor) -> None:
        if run.of(p.StateChanged) and not torch.is_grad_enabled() and query.shape[0] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    attention.fault = tight
    run.train()
    assert run.of(p.WarningRaised) == []
    losses, expected = run.of(p.ValidationLossMeasured), plain.of(p.ValidationLossMeasured)
    assert [event.loss for event in losses] == pytest.approx([event.loss for event in expected], rel=1e-4)
    assert [(e.step, e.index) for e in run.of(p.ValidationImageSaved)] == [(s, i) for s in (0, STEPS) for i in range(3)]


@pytest.mark.parametrize(("spare", "words"), [(True, "stays on cuda: a step leaves room"), (False, "rests on the CPU")])
def test_where_the_vae_waits_is_told_once(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, spare: bool, words: str
) -> None:
    size = 64 * 2**30 if spare else 2**20
    moved: list[str] = []
    run = bench(num_validation_images=1, validation_steps=2)
    monkeypatch.setattr(devices, "choose_device", lambda _: devices.Device("cuda", "a stand-in"))
    monkeypatch.setattr(devices.Device, "torch", property(lambda _: torch.device("cpu")))
    monkeypatch.setattr(devices, "room", lambda *_: machine.Room(size, "device"))
    monkeypatch.setattr(devices, "memory", lambda _: devices.DeviceMemory(0, 0, 0))
    monkeypatch.setattr(devices, "synchronize", lambda _: None)
    monkeypatch.setattr(devices, "move", lambda module, to: moved.append(f"{type(module).__name__} {to.name}"))
    run.train()
    told = [event.text for event in run.of(p.LogRecorded) if "the VAE" in event.text]
    assert len(told) == 1 and words in told[0]
    assert ("AutoencoderKL cpu" in moved) != spare
    assert moved.count("AutoencoderKL cuda") == 4
