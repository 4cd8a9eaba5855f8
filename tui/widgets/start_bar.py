"""The buttons that start, try and check a run, and beside them in a few words whether it could start."""

import threading
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from engine.contract.config import TrainingConfig
from engine.contract.run_dir import RunDir, Workspace
from tui.actions.new_run import ACTIONS, ON_BUTTONS
from tui.config_draft import ConfigDraft
from tui.estimator import Estimator
from tui.screens.start_dialog import StartDialog
from tui.starting import Crowded, Refusal, start_run
from tui.widgets.action_button import ActionButton


class StartBar(Horizontal):
    """Starts one run at a time, in a thread."""

    DEFAULT_CSS = """
    StartBar { height: 1; padding: 0 1; }
    StartBar > Static { width: 1fr; height: 1; text-wrap: nowrap; text-overflow: ellipsis; padding: 0 1; }
    """

    @dataclass
    class Answered(Message):
        """The run has begun, or it has not, and why."""

        answer: RunDir | Refusal | Crowded

    def __init__(self, draft: ConfigDraft, workspace: Workspace, estimator: Estimator) -> None:
        super().__init__(id="buttons")
        self._draft = draft
        self._workspace = workspace
        self._estimator = estimator
        self._is_starting = False
        self._in_the_way = 0
        self._is_judged = False

    def compose(self) -> ComposeResult:
        """The most important button first."""
        for entry in ACTIONS:
            if entry.id in ON_BUTTONS:
                yield ActionButton(entry)
        yield Static(markup=False)

    def show(self, in_the_way: int, is_judged: bool) -> None:
        """Bring buttons and words up to the draft; `in_the_way` counts what else would keep it from starting, as far as
        that was looked into.
        """
        self._in_the_way, self._is_judged = in_the_way, is_judged
        for button in self.query(ActionButton):
            button.disabled = self._draft.config is None or (button.entry.id == "start" and self._is_starting)
        changed = len(self._draft.changes)
        remark = f"  ● {changed} changed" if changed else ""
        self.query_one(Static).update(Content.assemble(self._verdict(), remark), layout=False)

    def _verdict(self) -> tuple[str, str]:
        wrong = len(self._draft.errors)
        if self._is_starting:
            return "◌ starting…", "$text-accent"
        if wrong:
            return f"✗ {wrong} setting{'s are' if wrong > 1 else ' is'} wrong", "$text-error"
        if self._in_the_way:
            return "✗ cannot start yet", "$text-error"
        if self._is_judged:
            return "✓ can start", "$text-success"
        return "◌ looking at data, model and disk…", "$text-muted"

    def start(self, beside_others: bool = False) -> None:
        """Start a run of the draft, unless one is just being started; beside live ones only if it is said."""
        if self._draft.config and not self._is_starting:
            self._is_starting = True
            self.show(self._in_the_way, self._is_judged)
            arguments = (self._draft.config, self._draft.name, beside_others)
            threading.Thread(target=self._start, args=arguments, daemon=True).start()

    def _start(self, config: TrainingConfig, preset: str, beside_others: bool) -> None:
        self.post_message(self.Answered(start_run(self._workspace, self._estimator, config, preset, beside_others)))

    def on_start_bar_answered(self, message: Answered) -> None:
        """Another may be started; ask where it would crowd others, else the screen shows what became of it."""
        self._is_starting = False
        self.show(self._in_the_way, self._is_judged)
        if isinstance(message.answer, Crowded):
            message.stop()
            self.app.push_screen(
                StartDialog(message.answer.runs), lambda sure: self.start(beside_others=True) if sure else None
            )
