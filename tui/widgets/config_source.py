"""Where the form's settings come from and go to: presets, files, and back to the beginning."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label, Select

from engine.contract.atomic_file import write_atomically
from engine.contract.config import TrainingConfig
from engine.contract.config_file import SHIPPED_PRESETS, find_config, load_config, presets
from engine.contract.errors import ConfigError
from engine.contract.run_dir import Workspace
from tui.config_draft import ConfigDraft
from tui.naming import short_path
from tui.screens.file_dialog import FileDialog
from tui.screens.form_questions import OverwriteQuestion, PresetQuestion, ResetQuestion
from tui.setting_fields import Shown

FIRST_PRESET = "training_config"


def first_draft(workspace: Workspace, name: str) -> ConfigDraft:
    """A draft of the preset chosen last; of the first one if that is gone or damaged."""
    try:
        return ConfigDraft(name, load_config(find_config(name, workspace.root)))
    except ConfigError:
        return ConfigDraft(FIRST_PRESET, load_config(SHIPPED_PRESETS / f"{FIRST_PRESET}.json"))


class ConfigSource(Horizontal):
    """The line above the form: preset chooser and search. It changes the draft, and tells that it has."""

    DEFAULT_CSS = """
    ConfigSource { height: 1; padding: 0 1; }
    ConfigSource Label { width: auto; padding: 0 1 0 0; text-style: bold; }
    ConfigSource Select { width: 2fr; max-width: 40; margin: 0 2 0 0; }
    ConfigSource SelectCurrent { background: $surface; }
    ConfigSource Select:focus > SelectCurrent { background: $primary-muted; }
    ConfigSource Input { width: 3fr; max-width: 60; background: $surface; }
    ConfigSource Input:focus { background: $primary-muted; }
    """

    @dataclass
    class Replaced(Message):
        """The draft holds other settings."""

    @dataclass
    class Failed(Message):
        """A file could not be read or written."""

        title: str
        error: ConfigError

    @dataclass
    class Saved(Message):
        """The settings were written into a file."""

        path: Path

    def __init__(self, draft: ConfigDraft, workspace: Workspace) -> None:
        super().__init__(id="source")
        self._draft = draft
        self._workspace = workspace
        self._paths: dict[str, Path] = {}  # by name: presets, and files that were loaded

    def compose(self) -> ComposeResult:
        """The chooser stands on the preset that the draft began from, or on the first."""
        self._paths = presets(self._workspace.root)
        yield Label("Preset")
        names = sorted(self._paths)
        first = self._draft.name if self._draft.name in names else names[0]
        yield Select([(name, name) for name in names], value=first, allow_blank=False, compact=True, id="preset")
        yield Input(placeholder="/ find a setting", compact=True, select_on_focus=True, id="find")

    # ---- presets -----------------------------------------------------------------------------------------------------

    @on(Select.Changed, "#preset")
    def _chosen(self, event: Select.Changed) -> None:
        event.stop()
        name = str(event.value)
        if name == self._draft.name:
            return
        try:
            base = load_config(self._paths[name])
        except ConfigError as error:
            self.post_message(self.Failed(f"Preset {name}", error))
            self._point_at(self._draft.name)
            return
        if changes := self._draft.changes:
            question = PresetQuestion(f"{len(changes)} changed in {self._draft.name}")
            self.app.push_screen(question, lambda keep: self._begin_or_stay(keep, name, base, changes))
        else:
            self._begin(name, base)

    def _begin_or_stay(self, keep: bool | None, name: str, base: TrainingConfig, changes: Mapping[str, Shown]) -> None:
        if keep is None:
            self._point_at(self._draft.name)
        else:
            self._begin(name, base, changes if keep else {})

    def _begin(self, name: str, base: TrainingConfig, changes: Mapping[str, Shown] | None = None) -> None:
        self._draft.begin_from(name, base)
        self._draft.put(changes or {})
        self._point_at(name)
        self.post_message(self.Replaced())

    def _point_at(self, name: str) -> None:
        """Let the chooser stand on a name, which it learns if it is new."""
        chooser = self.query_one("#preset", Select)
        with self.prevent(Select.Changed):
            if chooser.value != name:
                chooser.set_options([(known, known) for known in sorted(self._paths)])
                chooser.value = name

    def reset_all(self) -> None:
        """Back to the preset, after a question."""
        if changes := self._draft.changes:
            question = ResetQuestion(f"{len(changes)} changed in {self._draft.name}")
            self.app.push_screen(question, lambda agreed: self._reset() if agreed else None)

    def _reset(self) -> None:
        self._draft.put(self._draft.base)
        self.post_message(self.Replaced())

    # ---- files -------------------------------------------------------------------------------------------------------

    def ask_to_load(self) -> None:
        """Ask for a file, and take its settings."""
        dialog = FileDialog("Load settings", "Load", self._workspace.root, "configs/")
        self.app.push_screen(dialog, lambda path: self._load(path) if path else None)

    def _load(self, path: Path) -> None:
        try:
            config = load_config(path)
        except ConfigError as error:
            self.post_message(self.Failed(f"{short_path(path)} was not loaded", error))
            return
        name = path.stem if self._paths.get(path.stem, path) == path else str(path)
        self._paths[name] = path
        self._begin(name, config)

    def ask_to_save(self, config: TrainingConfig) -> None:
        """Ask for a file, and write the settings into it."""
        stem = Path(self._draft.name).stem
        proposed = f"configs/{stem}.json" if (self._workspace.root / "configs" / f"{stem}.json").exists() else ""
        dialog = FileDialog("Save settings", "Save", self._workspace.root, proposed or f"configs/my_{stem}.json")
        self.app.push_screen(dialog, lambda path: self._save_or_ask(path, config) if path else None)

    def _save_or_ask(self, path: Path, config: TrainingConfig) -> None:
        if path.exists():
            question = OverwriteQuestion(path)
            self.app.push_screen(question, lambda agreed: self._save(path, config) if agreed else None)
        else:
            self._save(path, config)

    def _save(self, path: Path, config: TrainingConfig) -> None:
        threading.Thread(target=self._write, args=(path, config), daemon=True).start()  # a disk may be slow

    def _write(self, path: Path, config: TrainingConfig) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(config.model_dump(), indent=2) + "\n")
        except OSError as error:
            fault = ConfigError(f"Cannot write {path}", str(error.strerror), "Choose another folder.")
            self.post_message(self.Failed("The settings were not saved", fault))
        else:
            self.post_message(self.Saved(path))

    def on_config_source_saved(self, message: Saved) -> None:
        """What lies in configs/ of the workspace is a preset from now on."""
        path = message.path
        if path.parent == self._workspace.root / "configs" and path.suffix == ".json":
            self._paths[path.stem] = path
            chooser = self.query_one("#preset", Select)
            with self.prevent(Select.Changed):
                chooser.set_options([(name, name) for name in sorted(self._paths)])
                chooser.value = self._draft.name
