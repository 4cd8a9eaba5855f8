"""Light previews: due between validations, counted as they come, and not slower than the pictures they foretell."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import previews
from engine.contract.config import TrainingConfig
from engine.contract.config_file import find_config, load_config, presets
from engine.contract.contradictions import contradictions


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 12))
def test_they_are_due_as_often_as_they_are_counted_and_refused_where_they_never_are(
    last: int, every: int, validated: int
) -> None:
    valid = TrainingConfig(max_train_steps=last, preview_steps=every, validation_steps=validated)
    config = valid.model_copy(update={"preview_decoder": "a/b"})
    due = [step for step in range(last + 1) if previews.is_due(config, step)]
    assert len(due) == previews.previews(config)
    assert all(step % every == 0 and step % validated and 0 < step < last for step in due)
    assert any("draws no preview" in text for text in contradictions(config)) == (not due)


@pytest.mark.parametrize("preset", presets(Path("nowhere")))
def test_a_decoder_is_all_that_a_preset_needs_to_draw_some(preset: str) -> None:
    config = load_config(find_config(preset, Path("nowhere")), {"preview_decoder": "a/b"})
    assert previews.previews(config) > 0


def test_without_a_decoder_there_are_none() -> None:
    config = TrainingConfig()
    assert not previews.is_due(config, 100)
    assert previews.previews(config) == 0


def test_a_preview_has_no_more_denoising_steps_than_the_picture() -> None:
    assert previews.preview_inference_steps(TrainingConfig()) == 10
    assert previews.preview_inference_steps(TrainingConfig(validation_inference_steps=4)) == 4
