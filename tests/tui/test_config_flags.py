"""Every setting has a flag, both spellings mean the same, and a flag and a line of JSON make the same config."""

import argparse
import json
from pathlib import Path
from typing import Any, get_origin

import pytest

from engine.contract.config import TrainingConfig
from engine.contract.config_file import load_config
from engine.contract.errors import ConfigError
from engine.contract.setting_rules import kinds
from tui.config_flags import CommandParser, add_setting_flags, bounds, settings_from

# A value for each setting that is not its default.
VALUES: dict[str, Any] = {
    "pretrained_model_name_or_path": "models/mine.safetensors", "prediction_type": "v_prediction",
    "train_data_dir": "data/with space", "resolution": 256, "random_flip": True, "caption_dropout": 0.1,
    "dataloader_num_workers": 0, "train_batch_size": 3, "gradient_accumulation_steps": 6, "max_train_steps": 77,
    "learning_rate": 2e-5, "lr_scheduler": "cosine", "lr_warmup_steps": 7, "snr_gamma": 5.0, "noise_offset": 0.05,
    "max_grad_norm": 0.5, "adam_beta1": 0.8, "adam_beta2": 0.99, "adam_weight_decay": 0.0, "adam_epsilon": 1e-7,
    "seed": 2**60, "lora_rank": 4, "lora_alpha": 8.0, "lora_dropout": 0.25, "lora_target_modules": ["to_q", "to_k"],
    "validation_prompts": ["a shoe, red", "ein Schuh"], "validation_negative_prompt": "blurry",
    "num_validation_images": 3, "validation_steps": 9, "validation_inference_steps": 4,
    "validation_guidance_scale": 2.5, "validation_split": 0.2, "preview_decoder": "madebyollin/taesd",
    "preview_steps": 7, "checkpointing_steps": 11,
    "checkpoints_total_limit": 2, "resume_from_checkpoint": "latest", "max_restarts": 0, "device": "cpu",
    "mixed_precision": "bf16", "gradient_checkpointing": "full", "num_processes": 2, "torch_compile": True,
    "run_name": "mine", "save_final_pipeline": False,
}  # fmt: skip


@pytest.fixture
def parser() -> CommandParser:
    parser = CommandParser(prog="test")
    add_setting_flags(parser)
    return parser


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    path = tmp_path / "empty.json"
    path.write_text("{}")
    return path


def words(flag: str, value: Any) -> list[str]:
    if isinstance(value, list):
        return [flag, *value]
    return [flag, str(value).lower() if isinstance(value, bool) else str(value)]


def typed(parser: argparse.ArgumentParser, *arguments: str) -> dict[str, object]:
    return settings_from(parser.parse_args(arguments))


def test_the_table_of_values_has_every_setting_and_no_default() -> None:
    assert VALUES.keys() == TrainingConfig.model_fields.keys()
    defaults = TrainingConfig().model_dump()
    assert not [name for name, value in VALUES.items() if value == defaults[name]]


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("separator", ["_", "-"])
def test_a_flag_means_the_same_as_a_line_of_json(
    name: str, separator: str, parser: CommandParser, empty: Path, tmp_path: Path
) -> None:
    flag = f"--{name.replace('_', separator)}"
    by_flag = load_config(empty, typed(parser, *words(flag, VALUES[name])))
    written = tmp_path / "written.json"
    written.write_text(json.dumps({name: VALUES[name]}))
    assert by_flag == load_config(written) != load_config(empty)


def test_all_flags_together(parser: CommandParser, empty: Path) -> None:
    line = [word for name, value in VALUES.items() for word in words(f"--{name}", value)]
    assert load_config(empty, typed(parser, *line)).model_dump() == VALUES


def test_what_was_not_typed_is_no_setting(parser: CommandParser) -> None:
    assert typed(parser) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [("random_flip", True), ("save_final_pipeline", True), ("gradient_checkpointing", "attention")],
)
def test_a_bare_switch_means_true(name: str, value: object, parser: CommandParser, empty: Path) -> None:
    assert getattr(load_config(empty, typed(parser, f"--{name}")), name) == value


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("train_batch_size", "0", "train_batch_size = '0': input should be greater than or equal to 1"),
        ("train_batch_size", "two", "train_batch_size = 'two'"),
        ("learning_rate", "nan", "learning_rate = 'nan'"),
        ("random_flip", "maybe", "random_flip = 'maybe'"),
        ("lr_scheduler", "cosinus", "lr_scheduler = 'cosinus'"),
        ("noise_offset", "-1", "noise_offset = '-1'"),
    ],
)
def test_a_wrong_value_is_refused_by_the_config_itself(
    name: str, text: str, said: str, parser: CommandParser, empty: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(empty, typed(parser, f"--{name}", text))
    assert said in caught.value.what


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        ("--train_batchsize", "--train_batch_size"),
        ("--train-batchsize=4", "--train-batch-size"),
        ("--lerning_rate", "--learning_rate"),
        ("--lora_ran", "--lora_rank"),  # no guessing from a beginning
    ],
)
def test_an_unknown_flag_names_the_nearest(
    word: str, nearest: str, parser: CommandParser, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parser.parse_args([word, "4"])
    assert caught.value.code == 2
    assert f"did you mean {nearest}?" in capsys.readouterr().err


def test_help_tells_each_setting_once_with_bounds_unit_and_default(parser: CommandParser) -> None:
    text = " ".join(parser.format_help().split())
    for name, field in TrainingConfig.model_fields.items():
        assert text.count(f" --{name} ") >= 1, name
        assert " ".join(str(field.description).split())[:20] in text, name
    assert "[unit: samples; 1 to 256; default: 2]" in text
    assert "--train_batch_size {auto,INTEGER} Samples in one micro-batch" in text
    assert "--train-batch-size" not in text


def test_a_number_may_be_the_word_auto(parser: CommandParser, empty: Path) -> None:
    assert load_config(empty, typed(parser, "--train_batch_size", "auto")).train_batch_size == "auto"
    assert load_config(empty, typed(parser, "--train-batch-size", "3")).train_batch_size == 3


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("train_batch_size", "1 to 256"),
        ("learning_rate", "above 0 to 1"),
        ("adam_beta1", "0 to below 1"),
        ("resolution", "32 to 2,048, a multiple of 8"),
        ("lora_target_modules", "not empty"),
        ("random_flip", ""),
    ],
)
def test_bounds_in_words(name: str, told: str) -> None:
    assert bounds(TrainingConfig.model_fields[name]) == told


def test_every_number_tells_its_bounds() -> None:
    for name, field in TrainingConfig.model_fields.items():
        if {int, float} & kinds(field) and get_origin(field.annotation) is not list:
            assert " to " in bounds(field), name
