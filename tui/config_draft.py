"""A config while it is being written: what stands in the form, what of it has changed, and what is wrong with it."""

from collections.abc import Mapping

from pydantic import ValidationError

from engine.contract.config import TrainingConfig
from tui.setting_errors import errors_by_setting
from tui.setting_fields import Shown, shown_config, typed


class ConfigDraft:
    """Settings as texts, checked as a whole after every change; `base` is what a reset goes back to."""

    def __init__(self, name: str, base: TrainingConfig) -> None:
        self.values: dict[str, Shown] = {}
        self.config: TrainingConfig | None = None  # None while something is wrong
        self.errors: dict[str, str] = {}
        self.begin_from(name, base)

    def begin_from(self, name: str, base: TrainingConfig) -> None:
        """Take another preset or file, as it is."""
        self.name = name
        self.base = shown_config(base)
        self.put(self.base)

    def put(self, values: Mapping[str, Shown]) -> None:
        """Change some settings."""
        self.values = {**self.values, **values}
        try:
            self.config, self.errors = TrainingConfig.model_validate(typed(self.values)), {}
            self._as_read = shown_config(self.config)
        except ValidationError as error:
            self.config, self.errors = None, errors_by_setting(error)
            self._as_read = self.values

    def is_changed(self, name: str) -> bool:
        """Whether a setting is another than in the preset; how a number is written does not count."""
        return self.base[name] not in {self.values[name], self._as_read[name]}

    @property
    def changes(self) -> dict[str, Shown]:
        """The settings that differ from the preset."""
        return {name: value for name, value in self.values.items() if self.is_changed(name)}
