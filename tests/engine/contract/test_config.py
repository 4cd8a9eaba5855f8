"""Every setting explains itself, keeps its bounds, survives JSON, and does not contradict another."""

import json
from typing import Any, Literal, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from engine.contract.config import Group, TrainingConfig
from engine.contract.setting_rules import kinds, rules

FIELDS = TrainingConfig.model_fields
NUMBERS = [name for name, field in FIELDS.items() if {int, float} & kinds(field)]


def limits(field: FieldInfo) -> dict[type, Any]:
    return {type(rule): rule for rule in rules(field)}


def is_whole(field: FieldInfo) -> bool:
    return int in kinds(field)


def values(name: str) -> st.SearchStrategy[Any]:
    """Values that a field allows."""
    field = FIELDS[name]
    if name in NUMBERS:
        found = limits(field)
        low = found[Ge].ge if Ge in found else found[Gt].gt
        high = found[Le].le if Le in found else found[Lt].lt
        if is_whole(field):
            step = found[MultipleOf].multiple_of if MultipleOf in found else 1
            whole = st.integers(low // step, high // step).map(lambda count: count * step)
            return st.just("auto") | whole if Literal["auto"] in kinds(field) else whole
        return st.floats(low, high, exclude_min=Gt in found, exclude_max=Lt in found)
    if field.annotation is bool:
        return st.booleans()
    if get_origin(field.annotation) is Literal:
        return st.sampled_from(get_args(field.annotation))
    if get_origin(field.annotation) is list:
        return st.lists(st.text("abc ö", min_size=1).filter(str.strip), min_size=1, max_size=3)
    return st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True).filter(
        lambda text: text.lower() not in {"none", "null"}
    )


def without_contradiction(settings: dict[str, Any]) -> dict[str, Any]:
    changes = {"lr_warmup_steps": min(settings["lr_warmup_steps"], settings["max_train_steps"])}
    if settings["device"] == "mps" and settings["gradient_checkpointing"] in {"attention", "full"}:
        changes["lora_dropout"] = 0.0
    if settings["device"] == "mps" or settings["gradient_accumulation_steps"] % settings["num_processes"]:
        changes["num_processes"] = 1
    if settings["device"] == "mps":
        changes["torch_compile"] = False
    if settings["lr_scheduler"] == "polynomial":
        changes["learning_rate"] = max(settings["learning_rate"], 1e-6)
    never = settings["preview_steps"] >= settings["max_train_steps"]
    if never or not settings["num_validation_images"] or settings["preview_steps"] % settings["validation_steps"] == 0:
        changes["preview_decoder"] = None
    return {**settings, **changes}


whole_configs = st.fixed_dictionaries({name: values(name) for name in FIELDS}).map(without_contradiction)


@given(whole_configs)
def test_every_allowed_config_comes_back_equal_from_json(settings: dict[str, Any]) -> None:
    config = TrainingConfig.model_validate(settings)
    assert config.model_dump() == settings
    assert TrainingConfig.model_validate_json(json.dumps(config.model_dump())) == config


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_explains_itself(name: str) -> None:
    field = FIELDS[name]
    extra = field.json_schema_extra
    assert field.title and field.description and field.description.endswith(".")
    assert isinstance(extra, dict)
    assert extra["group"] in get_args(Group)
    assert isinstance(extra["unit"], str) and isinstance(extra["may_change_on_resume"], bool)


@pytest.mark.parametrize("name", FIELDS)
def test_every_default_keeps_its_own_bounds(name: str) -> None:
    assert getattr(TrainingConfig.model_validate({name: FIELDS[name].default}), name) == FIELDS[name].default


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_is_bounded_on_both_sides_and_the_bounds_hold(name: str) -> None:
    found = limits(FIELDS[name])
    assert len({Ge, Gt} & set(found)) == 1 and len({Le, Lt} & set(found)) == 1
    beyond = [
        found[Ge].ge - 1 if Ge in found else found[Gt].gt,
        found[Le].le + 1 if Le in found else found[Lt].lt,
    ]
    for value in beyond:
        with pytest.raises(ValidationError) as caught:
            TrainingConfig.model_validate({name: value})
        (fault,) = caught.value.errors()
        assert fault["loc"][0] == name


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), "many", [], {}])
def test_what_is_no_finite_number_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        TrainingConfig.model_validate({name: value})


@pytest.mark.parametrize(
    ("written", "mode"),
    [(True, "attention"), (False, "none"), ("true", "attention"), ("False", "none"), ("full", "full")],
)
def test_gradient_checkpointing_as_an_on_off_flag(written: object, mode: str) -> None:
    assert TrainingConfig.model_validate({"gradient_checkpointing": written}).gradient_checkpointing == mode


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"lr_warmup_steps": 11, "max_train_steps": 10}, ["lr_warmup_steps", "max_train_steps"]),
        ({"lr_scheduler": "polynomial", "learning_rate": 1e-7}, ["lr_scheduler", "learning_rate"]),
        (
            {"device": "mps", "lora_dropout": 0.1, "gradient_checkpointing": "full"},
            ["lora_dropout", "gradient_checkpointing", "mps"],
        ),
        ({"device": "mps", "num_processes": 2}, ["num_processes", "mps"]),
        ({"device": "mps", "torch_compile": True}, ["torch_compile", "mps"]),
        ({"num_processes": 3}, ["gradient_accumulation_steps 8", "num_processes to a number that divides", "16"]),
        ({"num_processes": 16}, ["num_processes", "train_batch_size 1 and gradient_accumulation_steps 16"]),
        ({"validation_prompts": []}, ["num_validation_images", "validation_prompts"]),
        ({"validation_prompts": [" "]}, ["num_validation_images", "validation_prompts"]),
        ({"preview_decoder": "a/b", "num_validation_images": 0}, ["preview_decoder a/b", "num_validation_images 0"]),
        ({"preview_decoder": "a/b", "preview_steps": 500}, ["validation_steps 500", "or preview_steps below 500"]),
        ({"preview_decoder": "a/b", "validation_steps": 1}, ["preview_steps 100", "set validation_steps above 100 ["]),
        ({"preview_decoder": "a/b", "max_train_steps": 100}, ["preview_steps 100", "max_train_steps 100"]),
        ({"lora_rank": 0}, ["lora_rank"]),
        ({"lora_target_modules": []}, ["lora_target_modules"]),
        ({"resolution": 510}, ["resolution"]),
        ({"run_name": "../elsewhere"}, ["run_name"]),
    ],
)
def test_contradictions_are_refused_by_name(settings: dict[str, Any], names: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        TrainingConfig.model_validate(settings)
    assert all(name in str(caught.value) for name in names)


def test_all_contradictions_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        TrainingConfig.model_validate({"device": "mps", "num_processes": 3, "torch_compile": True})
    told = [(fault["loc"], fault["msg"].split()[2]) for fault in caught.value.errors()]
    assert told == [((), "torch_compile"), ((), "num_processes"), ((), "num_processes")]


@pytest.mark.parametrize(
    "settings",
    [
        {"lr_warmup_steps": 10, "max_train_steps": 10},
        {"device": "mps", "lora_dropout": 0.1, "gradient_checkpointing": "none"},
        {"device": "mps", "lora_dropout": 0.1, "gradient_checkpointing": "auto"},
        {"device": "cpu", "lora_dropout": 0.1},
        {"device": "cuda", "num_processes": 8},
        {"validation_prompts": [], "num_validation_images": 0},
        {"snr_gamma": "none", "run_name": "", "resume_from_checkpoint": "null", "preview_decoder": "none"},
        {"preview_steps": 500},
    ],
)
def test_what_only_looks_like_a_contradiction_is_taken(settings: dict[str, Any]) -> None:
    TrainingConfig.model_validate(settings)


def test_the_effective_batch_is_batch_size_times_accumulation() -> None:
    assert TrainingConfig(train_batch_size=3, gradient_accumulation_steps=5).effective_batch_size == 15


def test_auto_counts_micro_batches_of_one() -> None:
    config = TrainingConfig(train_batch_size="auto", gradient_accumulation_steps=12)
    assert (config.micro_batch_size, config.effective_batch_size, config.checkpointing_mode) == (1, 12, "none")
    with pytest.raises(ValidationError) as caught:
        TrainingConfig.model_validate({"train_batch_size": "automatic"})
    assert len(caught.value.errors()) == 1


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        TrainingConfig().seed = 1  # type: ignore[misc]
