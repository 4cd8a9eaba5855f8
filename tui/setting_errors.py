"""What is wrong with settings, in plain words, at the settings that are to blame."""

import re

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from engine.contract.config import TrainingConfig
from engine.contract.setting_rules import or_auto

PLAIN = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be above {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be below {lt}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "string_too_short": "must not be empty",
    "too_short": "needs at least one entry",
    "string_pattern_mismatch": "may have letters, digits, . _ and -, begins with a letter or digit, and has at most 80",
}
NAMES = re.compile(r"\b(" + "|".join(sorted(TrainingConfig.model_fields, key=len, reverse=True)) + r")\b")


def errors_by_setting(error: ValidationError) -> dict[str, str]:
    """The first fault of each setting; a contradiction stands at every setting that it names."""
    found: dict[str, str] = {}
    for fault in error.errors(include_url=False):
        text = in_plain_words(fault)
        names = [str(fault["loc"][0])] if fault["loc"] else NAMES.findall(text)
        for name in names:
            found.setdefault(name, text)
    return found


def in_plain_words(fault: ErrorDetails) -> str:
    """One fault as a person would say it; pydantic's own words where there are none better."""
    if fault["type"] in PLAIN:
        plain = PLAIN[fault["type"]].format(**{name: _number(limit) for name, limit in fault.get("ctx", {}).items()})
        return plain + or_auto(fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    return message.replace("Input should be", "must be")


def _number(limit: object) -> object:
    """A bound as a person writes it: 2,048, and 1 instead of 1.0."""
    if isinstance(limit, float) and limit.is_integer():
        limit = int(limit)
    return f"{limit:,}" if isinstance(limit, int) else limit
