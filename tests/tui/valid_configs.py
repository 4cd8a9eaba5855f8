"""Configs as hypothesis draws them: every setting anywhere in its bounds, texts of any letters."""

from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from hypothesis import strategies as st

from engine.contract.config import TrainingConfig

TEXTS = st.text(min_size=1, max_size=30)
OPTIONAL_TEXTS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True).filter(
    lambda text: text.lower() not in {"none", "null"}  # other words for nothing
)


def _values(name: str) -> st.SearchStrategy[Any]:
    field = TrainingConfig.model_fields[name]
    kinds = {field.annotation, *get_args(field.annotation)}
    if field.annotation is bool:
        return st.booleans()
    if get_origin(field.annotation) is Literal:
        return st.sampled_from(get_args(field.annotation))
    if get_origin(field.annotation) is list:
        return st.lists(TEXTS.filter(str.strip), min_size=1, max_size=4)
    if kinds & {int, float}:
        rules = {type(rule): rule for rule in field.metadata}
        low = rules[Ge].ge if Ge in rules else rules[Gt].gt
        high = rules[Le].le if Le in rules else rules[Lt].lt
        if int in kinds:
            step = rules[MultipleOf].multiple_of if MultipleOf in rules else 1
            return st.integers(low // step, high // step).map(lambda count: count * step)
        numbers = st.floats(low, high, exclude_min=Gt in rules, exclude_max=Lt in rules)
        return st.none() | numbers if type(None) in kinds else numbers
    if type(None) in kinds:
        return st.none() | OPTIONAL_TEXTS
    return TEXTS


def _without_contradiction(settings: dict[str, Any]) -> TrainingConfig:
    changes = {"lr_warmup_steps": min(settings["lr_warmup_steps"], settings["max_train_steps"])}
    if settings["device"] == "mps" and settings["gradient_checkpointing"] != "none":
        changes["lora_dropout"] = 0.0
    if settings["device"] == "mps" or settings["gradient_accumulation_steps"] % settings["num_processes"]:
        changes["num_processes"] = 1
    if settings["lr_scheduler"] == "polynomial":
        changes["learning_rate"] = max(settings["learning_rate"], 1e-6)
    return TrainingConfig.model_validate({**settings, **changes})


valid_configs = st.fixed_dictionaries({name: _values(name) for name in TrainingConfig.model_fields}).map(
    _without_contradiction
)
