"""Presets are found, flags lie over files, and every fault is named by file, field, value and bound."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.contract.config_file import SHIPPED_PRESETS, find_config, load_config, presets
from engine.contract.errors import ConfigError

# As the issue states them (#2).
PRESETS: dict[str, dict[str, Any]] = {
    "training_config": {
        "train_batch_size": 2, "gradient_accumulation_steps": 8, "max_train_steps": 3000, "learning_rate": 1e-4,
        "lora_rank": 8, "lora_alpha": 16, "gradient_checkpointing": "attention", "validation_steps": 500,
        "checkpointing_steps": 500, "checkpoints_total_limit": 5, "seed": 42, "resolution": 512,
        "num_validation_images": 16,
    },
    "low_memory": {"train_batch_size": 1, "gradient_accumulation_steps": 16},
    "fast": {"max_train_steps": 1500, "lora_rank": 4, "lora_alpha": 8},
    "quality": {"max_train_steps": 5000, "lora_rank": 16, "lora_alpha": 32},
    "quick_test": {"max_train_steps": 100, "validation_steps": 50, "checkpointing_steps": 50},
    "demo": {"pretrained_model_name_or_path": "demo", "train_data_dir": "demo"},
}  # fmt: skip


def written(folder: Path, text: str, name: str = "mine.json") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", PRESETS)
def test_the_shipped_presets_are_as_promised(name: str, tmp_path: Path) -> None:
    config = load_config(find_config(name, tmp_path))
    assert {field: getattr(config, field) for field in PRESETS[name]} == PRESETS[name]


def test_there_are_no_other_shipped_presets(tmp_path: Path) -> None:
    assert set(presets(tmp_path)) == set(PRESETS)


def test_a_preset_of_the_workspace_hides_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    own = written(tmp_path / "configs", "{}", "fast.json")
    assert find_config("fast", tmp_path) == own
    assert find_config("demo", tmp_path) == SHIPPED_PRESETS / "demo.json"


@pytest.mark.parametrize("name", ["fast", "fast.json", "configs/fast.json"])
def test_a_preset_may_be_named_in_several_ways(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config(name, tmp_path) == SHIPPED_PRESETS / "fast.json"


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path, "{}")
    assert find_config(str(path), tmp_path / "elsewhere") == path


def test_an_unknown_config_is_refused_with_the_nearest_preset(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find_config("qualty", tmp_path)
    assert "Did you mean quality?" in caught.value.remedy


def test_flags_lie_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, '{"seed": 1, "lora_rank": 2}')
    config = load_config(path, {"seed": "3"})
    assert (config.seed, config.lora_rank) == (3, 2)


def test_an_unknown_key_is_refused_with_its_file_and_the_nearest_known_one(tmp_path: Path) -> None:
    path = written(tmp_path, '{"train_batchsize": 4}')
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(path) in caught.value.what
    assert "train_batchsize; did you mean train_batch_size?" in caught.value.what


def test_all_faults_are_named_at_once_with_field_value_and_bound(tmp_path: Path) -> None:
    path = written(tmp_path, '{"lora_rank": 0, "resolution": "big", "colour": "red"}')
    with pytest.raises(ConfigError) as caught:
        load_config(path, {"train_batch_size": "-3"})
    what = caught.value.what
    assert what.startswith("4 settings are wrong")
    assert f"{path}: lora_rank = 0: input should be greater than or equal to 1" in what
    assert "resolution = 'big'" in what and "colour" in what
    assert "train_batch_size = '-3': input should be greater than or equal to 1" in what


def test_all_contradictions_are_named_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, '{"lr_warmup_steps": 9, "max_train_steps": 8}')
    with pytest.raises(ConfigError, match="2 settings are wrong") as caught:
        load_config(path, {"device": "mps", "torch_compile": "true"})
    assert "  - lr_warmup_steps 9" in caught.value.what and "  - torch_compile on mps" in caught.value.what


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not valid JSON"),
        ('{"seed": 1,}', "line 1"),
        ("[]", "no JSON object"),
        ("", "not valid JSON"),
        ("[" * 200_000, "holds no settings"),
        ("9" * 5000, "holds no settings"),
    ],
    ids=["open", "comma", "list", "empty", "too deep", "too many digits"],
)
def test_a_damaged_file_is_refused_with_the_place(text: str, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert said in str(caught.value) and str(path) in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not text"):
        load_config(path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Cannot read"):
        load_config(tmp_path)


def test_the_shipped_presets_are_plain_json_objects() -> None:
    for path in SHIPPED_PRESETS.glob("*.json"):
        assert isinstance(json.loads(path.read_text()), dict)
