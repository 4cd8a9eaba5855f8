"""A config while it is written: errors in plain words at the right settings, and what counts as changed."""

import pytest
from hypothesis import given

from engine.contract.config import TrainingConfig
from tests.tui.valid_configs import valid_configs
from tui.config_draft import ConfigDraft
from tui.setting_fields import Shown, shown_config


@pytest.fixture
def draft() -> ConfigDraft:
    return ConfigDraft("defaults", TrainingConfig())


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("lora_rank", "0", "must be at least 1"),
        ("lora_rank", "513", "must be at most 512"),
        ("lora_rank", "many", "must be a whole number"),
        ("lora_rank", "1.5", "must be a whole number"),
        ("lora_rank", "", "must be a whole number"),
        ("seed", "9" * 5000, "is too large a number"),
        ("resolution", "513", "must be a multiple of 8"),
        ("max_train_steps", "10000001", "must be at most 10,000,000"),
        ("learning_rate", "0", "must be above 0"),
        ("learning_rate", "quick", "must be a number"),
        ("learning_rate", "nan", "must be a finite number"),
        ("validation_split", "1", "must be below 1"),
        ("pretrained_model_name_or_path", "", "must not be empty"),
        ("lora_target_modules", (), "needs at least one entry"),
        ("run_name", "-x", "begins with a letter or digit"),
        ("device", "tpu", "must be 'auto'"),
        ("train_batch_size", "0", "must be at least 1, or auto"),
        ("train_batch_size", "many", "must be a whole number, or auto"),
    ],
)
def test_each_error_stands_at_its_setting_in_plain_words(
    draft: ConfigDraft, name: str, value: Shown, words: str
) -> None:
    draft.put({name: value})
    assert draft.config is None
    assert list(draft.errors) == [name]
    assert words in draft.errors[name]
    assert "Input should" not in draft.errors[name]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"lr_warmup_steps": "5000"}, {"lr_warmup_steps", "max_train_steps"}),
        (
            {"device": "mps", "lora_dropout": "0.1", "gradient_checkpointing": "full"},
            {"lora_dropout", "gradient_checkpointing"},
        ),
        ({"lr_scheduler": "polynomial", "learning_rate": "1e-9"}, {"lr_scheduler", "learning_rate"}),
        ({"validation_prompts": ()}, {"num_validation_images", "validation_prompts"}),
    ],
)
def test_a_contradiction_stands_at_every_setting_it_names(
    draft: ConfigDraft, values: dict[str, Shown], names: set[str]
) -> None:
    draft.put(values)
    assert set(draft.errors) == names


def test_an_error_goes_when_it_is_mended(draft: ConfigDraft) -> None:
    draft.put({"lora_rank": "0"})
    draft.put({"lora_rank": "4"})
    assert draft.errors == {}
    assert draft.config == TrainingConfig(lora_rank=4)


def test_how_a_number_is_written_is_no_change(draft: ConfigDraft) -> None:
    draft.put({"learning_rate": "1e-4", "lora_rank": " 8 "})
    assert draft.changes == {}
    draft.put({"learning_rate": "2e-4"})
    assert draft.changes == {"learning_rate": "2e-4"}


def test_a_wrong_value_is_a_change(draft: ConfigDraft) -> None:
    draft.put({"lora_rank": "x"})
    assert list(draft.changes) == ["lora_rank"]


@given(valid_configs)
def test_a_draft_begun_from_a_config_is_that_config_unchanged(config: TrainingConfig) -> None:
    draft = ConfigDraft("defaults", TrainingConfig())
    draft.put(shown_config(config))
    assert draft.config == config
    draft.begin_from("other", config)
    assert (draft.config, draft.changes, draft.errors) == (config, {}, {})
