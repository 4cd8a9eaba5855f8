"""New run: the form of all settings, what they would cost, and the ways to try and to start them."""

from collections.abc import Iterable

from textual import events, on
from textual.containers import Container, Vertical
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Select

from engine.contract.config import TrainingConfig
from engine.contract.run_dir import RunDir, Workspace
from tui.actions.new_run import ON_BUTTONS
from tui.naming import short_path
from tui.navigation import Opened
from tui.screens.trying import TryingScreen
from tui.setting_fields import FIELDS
from tui.starting import Refusal
from tui.widgets.action_button import ActionButton
from tui.widgets.config_form import ConfigForm
from tui.widgets.config_source import FIRST_PRESET, ConfigSource, first_draft
from tui.widgets.estimate_panel import EstimatePanel
from tui.widgets.field_help import FieldHelp
from tui.widgets.key_bar import KeyBar
from tui.widgets.setting_row import SettingRow
from tui.widgets.start_bar import StartBar
from tui.widgets.tool_report import ToolReport

WIDE = 120  # columns from which the estimate stands beside the form
PAUSE = 0.1  # seconds without a key after which signs, errors and buttons follow; laying them out would hold up a key


class NewRunScreen(TryingScreen):
    """The draft is the one truth: controls write into it, and signs, errors, estimate and buttons follow it."""

    CSS_PATH = "new_run.tcss"
    AUTO_FOCUS = "#preset"

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._obstacles: dict[str, str] = {}  # by setting: why the run would end at once
        self._is_judged = False  # whether an estimate has looked at these settings, or at those before a small change
        self._soon: Timer | None = None

    def compose_body(self) -> Iterable[Widget]:
        """Source on top, form and estimate in the middle, buttons and keys below."""
        name = self.console_app.settings.recall("new.preset", FIRST_PRESET)
        self.draft = first_draft(self.workspace, name)
        yield ConfigSource(self.draft, self.workspace)
        with Container(id="middle"):
            with Vertical(id="left"):
                yield ConfigForm(self.draft, self.workspace.root)
                yield FieldHelp()
            with Vertical(id="side"):
                panel = EstimatePanel(self.workspace)
                yield panel
                yield ToolReport()
        yield StartBar(self.draft, self.workspace, panel.estimator)
        yield KeyBar()

    def on_mount(self) -> None:
        """Say how the first settings stand."""
        self._show_checked()
        self.ask_estimate()

    def on_screen_resume(self) -> None:
        """Data, models and measurements may have come meanwhile."""
        self.ask_estimate()

    def on_resize(self, event: events.Resize) -> None:
        """Where there is room every part is told, and every help stands under its setting."""
        super().on_resize(event)
        self.query_one(EstimatePanel).show_in_full(event.size.width >= WIDE)
        self.query_one(ConfigForm).show_help(event.size.width >= WIDE)

    # ---- what is typed -----------------------------------------------------------------------------------------------

    def on_setting_row_edited(self, message: SettingRow.Edited) -> None:
        """Check the whole, since settings may contradict each other."""
        self._obstacles.pop(message.name, None)  # it may be gone; the next estimate tells
        self.draft.put({message.name: message.value})
        if self._soon:
            self._soon.stop()
        self._soon = self.set_timer(PAUSE, self._show_checked)
        self.query_one(EstimatePanel).ask_soon(self.draft.config)

    def on_config_source_replaced(self) -> None:
        """Show other settings."""
        self._obstacles, self._is_judged = {}, False
        self.query_one(ConfigForm).show()
        self._show_checked()
        self.ask_estimate()
        self.console_app.settings.remember("new.preset", self.draft.name)

    def _show_checked(self) -> None:
        """Bring signs, errors, reasons and buttons up to the draft."""
        self.query_one(ConfigForm).mark(self._obstacles)
        wrong = list(dict.fromkeys(self._titled(name, text) for name, text in self.draft.errors.items()))
        in_the_way = [self._titled(name, text) for name, text in self._obstacles.items()]
        self.query_one(EstimatePanel).show_faults(wrong + in_the_way)
        self.query_one(StartBar).show(len(in_the_way), self._is_judged)
        self.offer_keys()

    @staticmethod
    def _titled(name: str, text: str) -> str:
        """A reason with its setting, unless it names settings itself."""
        return text if name in text else f"{FIELDS[name].title}: {text}"

    def on_config_form_reached(self, message: ConfigForm.Reached) -> None:
        """Help for the setting with the cursor, where its row has no room for it."""
        self.query_one(FieldHelp).show(message.field)
        self.offer_keys()

    def offer_keys(self) -> None:
        """Show the keys that do something now."""
        offered = [entry for entry in self.actions() if entry.id not in ON_BUTTONS]
        self.query_one(KeyBar).show(offered)

    def on_estimate_panel_came(self, message: EstimatePanel.Came) -> None:
        """Show it, unless the settings have changed since."""
        if message.config == self.draft.config:
            self._obstacles, self._is_judged = message.obstacles, True
            self.query_one(EstimatePanel).show(message.config, message.estimate)
            self._show_checked()

    def ask_estimate(self) -> None:
        """Estimate the draft as it is now."""
        self.query_one(EstimatePanel).ask(self.draft.config)

    # ---- what is done ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What changes a list is offered in a list only, and what ends a report where there is one."""
        if action == "act" and self.is_mounted:
            identity = str(parameters[0])
            if identity.startswith("text-"):
                return self.query_one(ConfigForm).list_at_hand() is not None
            report = self.query_one(ToolReport)
            if identity == "close":
                return bool(report.at_work or report.is_shown)
            if identity == "copy-remedy":
                return bool(report.is_shown and report.remedies)
        return True

    def on_button_pressed(self, event: ActionButton.Pressed) -> None:
        """A button does what its key does."""
        if isinstance(event.button, ActionButton):
            self.action_act(event.button.entry.id)

    def act_start(self) -> None:
        """Start the run; what stands in its way is told instead."""
        if self.console_app.readonly:
            self.notify("The console was opened with --readonly.", title="Read-only", severity="warning")
        elif self.right_config():
            self.query_one(StartBar).start()

    def on_start_bar_answered(self, message: StartBar.Answered) -> None:
        """Watch the run, or say what happened, why, and what to do; the form stays as it is."""
        if isinstance(message.answer, Refusal):
            self._obstacles = message.answer.by_setting()
            self.query_one(ToolReport).tell("The run was not started", *message.answer.lines())
            self._show_checked()
            if self._obstacles:
                self._go_to(next(iter(self._obstacles)))
        elif isinstance(message.answer, RunDir):
            self.post_message(Opened("monitor", message.answer))

    def right_config(self) -> TrainingConfig | None:
        """The settings, if all are right; else the cursor goes to the first that is not."""
        if self.draft.config is None:
            name = next(name for name in FIELDS if name in self.draft.errors)
            self._go_to(name)
            words = self._titled(name, self.draft.errors[name])
            self.notify(words, title="A setting is wrong", severity="error", markup=False)
        return self.draft.config

    def _go_to(self, name: str) -> None:
        """Put the cursor into a setting, whatever is searched for."""
        form = self.query_one(ConfigForm)
        self.query_one("#find", Input).value = ""
        form.filter("")
        form.call_after_refresh(form.row(name).focus_control)  # a row that was filtered out has its place only then

    # ---- settings ----------------------------------------------------------------------------------------------------

    def action_act(self, identity: str) -> None:
        """Do what an action of the table says; what changes a list is done by the list that has the cursor."""
        if identity.startswith("text-"):
            self.query_one(ConfigForm).change_list(identity.removeprefix("text-"))
        else:
            super().action_act(identity)

    def act_find(self) -> None:
        """Search the settings."""
        self.query_one("#find").focus()

    @on(Input.Changed, "#find")
    def _search(self, event: Input.Changed) -> None:
        self.query_one(ConfigForm).filter(event.value)

    @on(Input.Submitted, "#find")
    def _found(self) -> None:
        self.query_one(ConfigForm).focus_first()

    def key_escape(self) -> None:
        """Leave a text field; the search is given up with it."""
        if self.focused is self.query_one("#find"):
            self.query_one("#find", Input).value = ""
        super().key_escape()

    def act_preset(self) -> None:
        """Open the list of presets."""
        self.query_one("#preset", Select).focus().action_show_overlay()

    def act_save(self) -> None:
        """Write the settings into a file."""
        if config := self.right_config():
            self.query_one(ConfigSource).ask_to_save(config)

    def act_load(self) -> None:
        """Take the settings of a file."""
        self.query_one(ConfigSource).ask_to_load()

    def on_config_source_saved(self, message: ConfigSource.Saved) -> None:
        """Say where the settings are."""
        self.notify(short_path(message.path), title="Settings saved", markup=False)

    def on_config_source_failed(self, message: ConfigSource.Failed) -> None:
        """Say what is wrong with a file; the form stays as it was."""
        self.query_one(ToolReport).tell(message.title, *Refusal((("", message.error),)).lines())

    def act_reset(self) -> None:
        """Put the setting with the cursor back."""
        form = self.query_one(ConfigForm)
        if form.current:
            self.draft.put({form.current: self.draft.base[form.current]})
            form.show()
            self._show_checked()
            self.query_one(EstimatePanel).ask_soon(self.draft.config)

    def act_reset_all(self) -> None:
        """Put every setting back."""
        self.query_one(ConfigSource).reset_all()
