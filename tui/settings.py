"""What the console keeps between two starts: theme, way of showing pictures, and layout choices of its screens."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.contract.atomic_file import write_atomically

FILE_NAME = "console.json"


class Choices(BaseModel):
    """The content of the file."""

    model_config = ConfigDict(extra="forbid")

    theme: str | None = None  # None: never chosen
    image_mode: str = "auto"
    layout: dict[str, str] = Field(default_factory=dict)  # by screen and choice, as in "monitor.tab"


class Settings:
    """The choices, written at every change; without a folder they last as long as the process."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder  # where the key map lies, too
        self._file = folder / FILE_NAME if folder else None
        self._choices = Choices()
        self.problem = ""  # what was wrong with the file, to be told once
        if self._file and self._file.exists():
            self._load(self._file)

    def _load(self, file: Path) -> None:
        try:
            found = json.loads(file.read_bytes())
            self._choices, faults = _good_ones(found)
        except OSError as error:
            self.problem = f"{file}: {error.strerror}. Defaults are used instead."
        except ValueError as error:
            self.problem = f"{file}: {error}. Defaults are used instead."
        else:
            if faults:
                words = "; ".join(faults)
                self.problem = f"{file}: {words}. Defaults are used for that; all other choices hold."

    @property
    def theme(self) -> str | None:
        """The theme last chosen; None if none ever was."""
        return self._choices.theme

    @theme.setter
    def theme(self, name: str) -> None:
        self._keep(theme=name)

    @property
    def image_mode(self) -> str:
        """How pictures are to be shown: a mode's name, or auto."""
        return self._choices.image_mode

    @image_mode.setter
    def image_mode(self, name: str) -> None:
        self._keep(image_mode=name)

    def remember(self, key: str, value: str) -> None:
        """Keep a layout choice of a screen, such as "monitor.tab"."""
        self._keep(layout={**self._choices.layout, key: value})

    def recall(self, key: str, default: str) -> str:
        """A layout choice as it was last made."""
        return self._choices.layout.get(key, default)

    def _keep(self, **changes: object) -> None:
        changed = self._choices.model_copy(update=changes)
        if changed == self._choices:
            return
        self._choices = changed
        if not self._file:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, json.dumps(changed.model_dump(), indent=2) + "\n")
        except OSError as error:  # a choice that cannot be kept still holds until the end
            self.problem = f"{self._file}: {error.strerror}. Choices last until you leave."


def _good_ones(found: object) -> tuple[Choices, list[str]]:
    """The choices that can be used, and in plain words each that cannot. Raises ValueError if there are none at all."""
    if not isinstance(found, dict):
        raise ValueError("it holds no JSON object")
    try:
        return Choices.model_validate(found), []
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            name, *within = fault["loc"]
            faults.append(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}")
            if within and isinstance(found[name], dict):
                found[name].pop(within[0], None)
            else:
                found.pop(name, None)
        return Choices.model_validate(found), faults


def settings_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the settings and the key map lie: in the user's configuration folder."""
    root = environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(root) / "shoelora-tui"
