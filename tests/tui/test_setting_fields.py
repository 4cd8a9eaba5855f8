"""What the form knows of each setting, and that no value is lost between a config and its texts."""

import pytest
from hypothesis import given

from engine.contract.config import TrainingConfig
from tests.tui.valid_configs import valid_configs
from tui.setting_fields import FIELDS, Shown, shown, shown_config, typed


@given(valid_configs)
def test_every_config_shown_and_read_back_is_equal(config: TrainingConfig) -> None:
    assert TrainingConfig.model_validate(typed(shown_config(config))) == config


@pytest.mark.parametrize(
    ("value", "text"),
    [(8, "8"), (16.0, "16"), (1e-4, "0.0001"), (1e-8, "1e-08"), (0.1 + 0.2, "0.30000000000000004"), (None, ""),
     (True, True), (["a", ""], ("a", "")), (2**63 - 1, "9223372036854775807")],
)  # fmt: skip
def test_values_stand_in_the_form_as_a_person_writes_them(value: object, text: Shown) -> None:
    assert shown(value) == text


def test_each_setting_has_the_control_that_fits_its_type() -> None:
    kinds = {name: field.kind for name, field in FIELDS.items()}
    assert kinds["random_flip"] == "switch"
    assert kinds["lr_scheduler"] == "choice"
    assert kinds["gradient_checkpointing"] == "choice"
    assert kinds["validation_prompts"] == "texts"
    assert kinds["snr_gamma"] == "text"
    assert FIELDS["snr_gamma"].may_be_empty
    assert FIELDS["gradient_checkpointing"].choices == ("auto", "none", "attention", "full")
    assert kinds["train_batch_size"] == "text"
    assert FIELDS["train_batch_size"].bounds == "1 to 256"
    assert FIELDS["resolution"].bounds == "32 to 2,048, a multiple of 8"
    assert FIELDS["run_name"].bounds == ""


@pytest.mark.parametrize(
    ("words", "name"),
    [("learning rate", "learning_rate"), ("LORA_RANK", "lora_rank"), ("hang et al", "snr_gamma"), ("", "seed")],
)
def test_a_setting_is_found_by_name_title_and_help(words: str, name: str) -> None:
    assert FIELDS[name].matches(words)
    assert not FIELDS[name].matches("zebra")
