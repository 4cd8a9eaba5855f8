"""What a run adjusts of itself keeps the effective batch, comes to an end, and survives edits by hand."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contract.adjustments import (
    MODES,
    Adjustments,
    apply,
    changed,
    next_smaller,
    read_adjustments,
    write_adjustments,
)
from engine.contract.config import TrainingConfig
from engine.contract.errors import ConfigError
from engine.contract.protocol import MicroBatchChanged
from engine.contract.run_dir import RunDir


def config(batch: int, accumulation: int, mode: str = "none", **changes: object) -> TrainingConfig:
    settings = {"train_batch_size": batch, "gradient_accumulation_steps": accumulation, "gradient_checkpointing": mode}
    return TrainingConfig.model_validate({**settings, **changes})


def numbers(adjustments: Adjustments | None) -> tuple[int | None, int | None, str | None]:
    assert adjustments is not None
    return (
        adjustments.train_batch_size,
        adjustments.gradient_accumulation_steps,
        adjustments.gradient_checkpointing,
    )


@given(st.integers(1, 256), st.integers(1, 4096), st.sampled_from(MODES))
def test_every_next_one_is_smaller_keeps_the_effective_batch_and_there_is_a_last(
    batch: int, accumulation: int, mode: str
) -> None:
    present = config(batch, accumulation, mode)
    seen = 0
    while adjustments := next_smaller(present):
        following = apply(present, adjustments)
        assert following.effective_batch_size == present.effective_batch_size
        if following.gradient_checkpointing == present.gradient_checkpointing:
            assert following.micro_batch_size <= present.micro_batch_size // 2
        else:
            assert following.train_batch_size == present.train_batch_size
            assert MODES.index(following.gradient_checkpointing) > MODES.index(present.gradient_checkpointing)
        present, seen = following, seen + 1
    assert seen <= 8 + 2  # 256 can be halved eight times
    assert present.gradient_checkpointing == "full"


def test_the_whole_way_down() -> None:
    present, way = config(12, 2), []
    while adjustments := next_smaller(present):
        way.append(numbers(adjustments))
        present = apply(present, adjustments)
    assert way == [(6, 4, "none"), (3, 8, "none"), (1, 24, "none"), (1, 24, "attention"), (1, 24, "full")]


def test_a_batch_that_has_no_half_takes_the_next_smaller_divisor() -> None:
    assert numbers(next_smaller(config(7, 2)))[:2] == (2, 7)


def test_where_the_setting_has_a_bound_the_next_mode_comes_earlier() -> None:
    assert numbers(next_smaller(config(2, 4096))) == (2, 4096, "attention")


def test_what_is_wrong_on_a_device_is_not_tried() -> None:
    assert next_smaller(config(1, 8, device="mps", lora_dropout=0.1)) is None


def test_from_auto_a_run_that_died_before_it_chose_goes_to_less_memory() -> None:
    auto = TrainingConfig(train_batch_size="auto", gradient_accumulation_steps=8, gradient_checkpointing="auto")
    assert numbers(next_smaller(auto)) == (1, 8, "attention")


def test_what_was_chosen_for_auto_is_made_smaller_like_any_other() -> None:
    auto = TrainingConfig(train_batch_size="auto", gradient_accumulation_steps=8)
    chosen = Adjustments(train_batch_size=4, gradient_accumulation_steps=2, gradient_checkpointing="none", why="auto")
    assert numbers(next_smaller(apply(auto, chosen))) == (2, 4, "none")
    with pytest.raises(ConfigError, match="does not fit"):
        apply(auto, chosen.model_copy(update={"gradient_accumulation_steps": 3}))


def test_nothing_is_adjusted_until_something_was_written(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    assert read_adjustments(run) == Adjustments()
    assert apply(config(4, 2), read_adjustments(run)) == config(4, 2)
    adjustments = next_smaller(config(4, 2))
    assert adjustments
    write_adjustments(run, adjustments)
    assert read_adjustments(run) == adjustments
    assert apply(config(4, 2), read_adjustments(run)) == config(2, 4)
    assert changed(adjustments, config(4, 2)) == MicroBatchChanged(2, 4, "none", "Memory ran out")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not valid JSON"),
        ("[]", "no JSON object"),
        ("\xff", "not text"),
        ('{"train_batch_size": 0, "gradient_accumulation_steps": 1}', "train_batch_size = 0"),
        ('{"train_batch_size": "two", "gradient_accumulation_steps": 1}', "train_batch_size = 'two'"),
        ('{"train_batch_size": 2}', "change together"),
        ('{"gradient_checkpointing": "some"}', "gradient_checkpointing = 'some'"),
        ('{"moon": "full"}', "moon = 'full'"),
    ],
)
def test_what_was_edited_by_hand_is_refused_by_file_and_field(tmp_path: Path, text: str, said: str) -> None:
    run = RunDir(tmp_path)
    run.adjustments_file.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError) as raised:
        read_adjustments(run)
    assert "adjustments.json" in raised.value.what
    assert said in str(raised.value)


def test_adjustments_that_would_change_the_result_are_refused(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.adjustments_file.write_text(json.dumps({"train_batch_size": 2, "gradient_accumulation_steps": 3}))
    with pytest.raises(ConfigError, match="does not fit") as raised:
        apply(config(4, 2), read_adjustments(run))
    assert "The effective batch would be 6, not 8." in raised.value.why
