"""Configs as hypothesis draws them: every setting anywhere in its bounds, texts of any letters."""

from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from hypothesis import strategies as st

from engine.contract.config import TrainingConfig
from engine.contract.setting_rules import kinds, rules

TEXTS = st.text(min_size=1, max_size=30)
OPTIONAL_TEXTS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True).filter(
    lambda text: text.lower() not in {"none", "null"}  # other words for nothing
)


def _values(name: str) -> st.SearchStrategy[Any]:
    field = TrainingConfig.model_fields[name]
    allowed = kinds(field)
    if field.annotation is bool:
        return st.booleans()
    if get_origin(field.annotation) is Literal:
        return st.sampled_from(get_args(field.annotation))
    if get_origin(field.annotation) is list:
        return st.lists(TEXTS.filter(str.strip), min_size=1, max_size=4)
    if allowed & {int, float}:
        found = {type(rule): rule for rule in rules(field)}
        low = found[Ge].ge if Ge in found else found[Gt].gt
        high = found[Le].le if Le in found else found[Lt].lt
        if int in allowed:
            step = found[MultipleOf].multiple_of if MultipleOf in found else 1
            whole = st.integers(low // step, high // step).map(lambda count: count * step)
            return st.just("auto") | whole if Literal["auto"] in allowed else whole
        numbers = st.floats(low, high, exclude_min=Gt in found, exclude_max=Lt in found)
        return st.none() | numbers if type(None) in allowed else numbers
    if type(None) in allowed:
        return st.none() | OPTIONAL_TEXTS
    return TEXTS


def _without_contradiction(settings: dict[str, Any]) -> TrainingConfig:
    changes = {"lr_warmup_steps": min(settings["lr_warmup_steps"], settings["max_train_steps"])}
    if settings["device"] == "mps" and settings["gradient_checkpointing"] in {"attention", "full"}:
        changes["lora_dropout"] = 0.0
    if settings["device"] == "mps" or settings["gradient_accumulation_steps"] % settings["num_processes"]:
        changes["num_processes"] = 1
    if settings["lr_scheduler"] == "polynomial":
        changes["learning_rate"] = max(settings["learning_rate"], 1e-6)
    never = settings["preview_steps"] >= settings["max_train_steps"]
    if never or not settings["num_validation_images"] or settings["preview_steps"] % settings["validation_steps"] == 0:
        changes["preview_decoder"] = None
    if settings["device"] == "mps":
        changes["torch_compile"] = False
    return TrainingConfig.model_validate({**settings, **changes})


valid_configs = st.fixed_dictionaries({name: _values(name) for name in TrainingConfig.model_fields}).map(
    _without_contradiction
)
