"""Memory, disk and operations against the measured figures, and how they answer to each setting."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import demo
from engine.contract.config import TrainingConfig
from engine.estimate import (
    GIB,
    HEAP,
    adapter_bytes,
    adapter_parameters,
    disk_parts,
    drawing_operations,
    memory_parts,
    step_operations,
    step_seconds,
    validations,
)
from engine.machine import Room


def config(**changes: object) -> TrainingConfig:
    return TrainingConfig.model_validate(changes)


GPU = Room(16 * GIB, "device")
METAL = Room(16 * GIB, "device", is_metal=True)
CPU = Room(16 * GIB, "machine")


def test_memory_is_told_by_what_it_is_for() -> None:
    parts = memory_parts(config(gradient_checkpointing="attention"), METAL)
    assert (parts.weights + parts.activations) / GIB == pytest.approx(6.9, abs=0.1)
    assert parts.total == parts.weights + parts.activations + parts.optimizer + parts.process
    half = memory_parts(config(gradient_checkpointing="attention", mixed_precision="fp16"), METAL)
    assert half.weights == parts.weights / 2


def test_scores_that_are_kept_make_memory_grow_faster_than_the_pixels() -> None:
    def growth(mode: str, room: Room) -> float:
        small, large = (memory_parts(config(gradient_checkpointing=mode, resolution=r), room) for r in (512, 1024))
        return large.activations / small.activations

    assert growth("none", GPU) == pytest.approx(4, abs=0.05)
    assert growth("attention", METAL) < 4.5
    assert growth("none", METAL) > 8


def test_a_cpu_needs_more_for_the_same() -> None:
    on_cpu, on_gpu = (memory_parts(config(gradient_checkpointing="none"), room) for room in (CPU, GPU))
    assert on_cpu.activations == pytest.approx(HEAP * on_gpu.activations)
    assert (on_cpu.weights, on_cpu.optimizer, on_cpu.process) == (on_gpu.weights, on_gpu.optimizer, on_gpu.process)


def test_the_demo_needs_little_more_than_the_process() -> None:
    parts = memory_parts(config(pretrained_model_name_or_path=str(demo.BASE_MODEL), resolution=64), CPU)
    assert parts.total - parts.process < 0.1 * GIB
    assert parts.process < memory_parts(config(), CPU).process  # its encoders are small, too


@pytest.mark.parametrize(("mode", "gflop"), [("none", 1718), ("attention", 1778), ("full", 2368)])
def test_a_step_has_the_operations_that_were_counted(mode: str, gflop: float) -> None:
    operations = step_operations(config(gradient_checkpointing=mode))
    assert operations / 1e9 == pytest.approx(16 * gflop, rel=0.005)


def test_many_small_micro_batches_take_longer_than_a_few_large_ones() -> None:
    one, four = (
        step_seconds(config(train_batch_size=batch, gradient_accumulation_steps=16 // batch), 1e12) for batch in (1, 4)
    )
    assert step_operations(config()) / 1e12 < four < one


def test_an_image_takes_two_passes_per_step_and_the_decoder() -> None:
    guided, plain = (drawing_operations(config(validation_guidance_scale=scale)) for scale in (7.5, 1))
    assert guided / 1e9 == pytest.approx(7 * 16 * (50 * 803 + 2515), rel=0.005)
    assert plain < 0.55 * guided


def test_previews_cost_little_and_are_counted() -> None:
    without, with_previews = config(), config(preview_decoder="madebyollin/taesd")
    assert 1 < drawing_operations(with_previews) / drawing_operations(without) < 1.5
    assert disk_parts(with_previews, GIB, samples=0).images > disk_parts(without, GIB, samples=0).images


@pytest.mark.parametrize(("steps", "every", "count"), [(100, 50, 3), (101, 50, 4), (1, 500, 2), (3000, 500, 7)])
def test_a_run_validates_before_the_first_step_and_after_the_last(steps: int, every: int, count: int) -> None:
    assert validations(config(max_train_steps=steps, validation_steps=every)) == count


def test_the_usual_adapter_has_the_parameters_that_peft_makes() -> None:
    assert adapter_parameters(config()) == 1_594_368
    assert adapter_bytes(config()) == pytest.approx(6_400_000, rel=0.005)


def test_what_is_not_wanted_needs_no_disk() -> None:
    parts = disk_parts(config(save_final_pipeline=False, num_validation_images=0), 4 * GIB, samples=0)
    assert (parts.pipeline, parts.images, parts.cache) == (0, 0, 0)
    assert parts.total == parts.checkpoints + parts.adapter


@settings(deadline=None, max_examples=20)
@given(rank=st.integers(1, 512), batch=st.integers(1, 256), accumulation=st.integers(1, 4096))
def test_no_part_shrinks_when_rank_batch_or_accumulation_grow(rank: int, batch: int, accumulation: int) -> None:
    small = config(lora_rank=rank, train_batch_size=batch, gradient_accumulation_steps=accumulation)
    for name in ("lora_rank", "train_batch_size", "gradient_accumulation_steps"):
        large = small.model_copy(update={name: getattr(small, name) * 2})
        assert adapter_bytes(large) >= adapter_bytes(small)
        assert memory_parts(large, METAL).total >= memory_parts(small, METAL).total
        assert disk_parts(large, GIB, 100).total >= disk_parts(small, GIB, 100).total
        assert step_operations(large) >= step_operations(small)
