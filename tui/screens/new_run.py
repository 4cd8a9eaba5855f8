"""New run: the form of all settings, what they would cost, and the ways to try and to start them."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from textual import events, on
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Select, Static

from engine import control
from engine.contract.config import TrainingConfig
from engine.contract.config_file import find_config, load_config
from engine.contract.errors import ConfigError
from engine.contract.run_dir import RunDir, Workspace
from engine.control import Tool
from tui.actions.new_run import ACTIONS, ON_BUTTONS
from tui.config_draft import ConfigDraft
from tui.estimator import Estimated, Estimator
from tui.naming import short_path
from tui.navigation import Opened
from tui.screens.main_screen import MainScreen
from tui.setting_fields import FIELDS, SettingField
from tui.starting import Refusal, start_run
from tui.widgets.action_bar import ActionButton
from tui.widgets.config_form import ConfigForm
from tui.widgets.config_source import FIRST_PRESET, ConfigSource
from tui.widgets.estimate_panel import EstimatePanel
from tui.widgets.key_bar import KeyBar
from tui.widgets.setting_row import SettingRow
from tui.widgets.tool_report import ToolReport

DEBOUNCE = 0.3  # seconds without a change before an estimate is asked for
WIDE = 120  # columns from which the estimate stands beside the form


class NewRunScreen(MainScreen):
    """The draft is the one truth: controls write into it, and signs, errors, estimate and buttons follow it."""

    SCREEN = "new"
    CSS_PATH = "new_run.tcss"
    AUTO_FOCUS = "#preset"

    @dataclass
    class EstimateCame(Message):
        """The estimator has an answer."""

        estimated: Estimated

    @dataclass
    class StartAnswered(Message):
        """The run has begun, or has not."""

        answer: RunDir | Refusal

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._estimator = Estimator(workspace, lambda estimated: self.post_message(self.EstimateCame(estimated)))
        self._estimate: control.Estimate | None = None
        self._obstacles: dict[str, str] = {}  # by setting: why the run would end at once
        self._debounce: Timer | None = None
        self._is_starting = False

    def compose_body(self) -> Iterable[Widget]:
        """Source on top, form and estimate in the middle, buttons and keys below."""
        name = self.console_app.settings.recall("new.preset", FIRST_PRESET)
        try:
            self.draft = ConfigDraft(name, load_config(find_config(name, self._workspace.root)))
        except ConfigError:  # gone since the last start, or damaged
            self.draft = ConfigDraft(FIRST_PRESET, load_config(find_config(FIRST_PRESET, self._workspace.root)))
        yield ConfigSource(self.draft, self._workspace)
        with Container(id="middle"):
            with Vertical(id="left"):
                yield ConfigForm(self.draft, self._workspace.root)
                yield Static(id="field-help", markup=False)
            with Vertical(id="side"):
                yield EstimatePanel()
                yield ToolReport()
        with Horizontal(id="buttons"):
            for entry in ACTIONS:
                if entry.id in ON_BUTTONS:
                    yield ActionButton(entry)
            yield Static(id="verdict", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Say how the first settings stand."""
        self._show_checked()
        self._ask_estimate()

    def on_screen_resume(self) -> None:
        """Data, models and measurements may have come meanwhile."""
        self._ask_estimate()

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
        self._show_checked()
        self._ask_estimate_soon()

    def on_config_source_replaced(self) -> None:
        """Show other settings."""
        self._obstacles = {}
        self.query_one(ConfigForm).show()
        self._show_checked()
        self._ask_estimate()
        self.console_app.settings.remember("new.preset", self.draft.name)

    def _show_checked(self) -> None:
        """Bring signs, errors, reasons and buttons up to the draft."""
        self.query_one(ConfigForm).mark(self._obstacles)
        wrong = list(dict.fromkeys(self._titled(name, text) for name, text in self.draft.errors.items()))
        in_the_way = [self._titled(name, text) for name, text in self._obstacles.items()]
        self.query_one(EstimatePanel).show(self._estimate, wrong + in_the_way)
        for button in self.query(ActionButton):
            button.disabled = bool(wrong) or (button.entry.id == "start" and self._is_starting)
        self._say_verdict(len(self.draft.errors), len(in_the_way))
        self._offer_keys()

    @staticmethod
    def _titled(name: str, text: str) -> str:
        """A reason with its setting, unless it names settings itself."""
        return text if name in text else f"{FIELDS[name].title}: {text}"

    def _say_verdict(self, wrong: int, in_the_way: int) -> None:
        changed = len(self.draft.changes)
        remark = f"● {changed} changed" if changed else ""
        if self._is_starting:
            words = Content.styled("◌ starting…", "$text-accent")
        elif wrong:
            words = Content.styled(f"✗ {wrong} setting{'s are' if wrong > 1 else ' is'} wrong", "$text-error")
        elif in_the_way:
            words = Content.styled("✗ cannot start yet", "$text-error")
        else:
            words = Content.styled("✓ can start", "$text-success")
        self.query_one("#verdict", Static).update(Content.assemble(words, f"  {remark}"), layout=False)

    def on_config_form_reached(self, message: ConfigForm.Reached) -> None:
        """Help for the setting with the cursor, where its row has no room for it."""
        self.query_one("#field-help", Static).update(_help(message.field), layout=False)
        self._offer_keys()

    def _offer_keys(self) -> None:
        offered = [entry for entry in self.actions() if entry.id not in ON_BUTTONS]
        self.query_one(KeyBar).show(offered)

    # ---- what it would cost ------------------------------------------------------------------------------------------

    def _ask_estimate_soon(self) -> None:
        if self._debounce:
            self._debounce.stop()
        self._debounce = self.set_timer(DEBOUNCE, self._ask_estimate)

    def _ask_estimate(self) -> None:
        if self.draft.config:
            self._estimator.ask(self.draft.config)

    def on_new_run_screen_estimate_came(self, message: EstimateCame) -> None:
        """Show it, unless the settings have changed since."""
        estimated = message.estimated
        if estimated.config != self.draft.config:
            return
        self._estimate = estimated.estimate
        self._obstacles = {"train_data_dir": estimated.fault} if estimated.fault else {}
        if estimated.estimate:
            self._obstacles = {one.setting: one.error.what for one in estimated.estimate.obstacles}
        self._show_checked()

    # ---- what is done ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What changes a list is offered in a list only, and what ends a report where there is one."""
        if action == "act" and self.is_mounted:
            identity = str(parameters[0])
            if identity.startswith("text-"):
                return self.query_one(ConfigForm).list_at_hand() is not None
            if identity == "close":
                report = self.query_one(ToolReport)
                return bool(report.at_work or report.is_shown)
        return True

    def on_button_pressed(self, event: ActionButton.Pressed) -> None:
        """A button does what its key does."""
        if isinstance(event.button, ActionButton):
            self.action_act(event.button.entry.id)

    def act_start(self) -> None:
        """Start the run in a thread; what stands in its way is told instead."""
        config = self._right_config()
        if self.console_app.readonly:
            self.notify("The console was opened with --readonly.", title="Read-only", severity="warning")
        elif config and not self._is_starting:
            self._is_starting = True
            self._show_checked()
            threading.Thread(target=self._start, args=(config, self.draft.name), daemon=True).start()

    def _start(self, config: TrainingConfig, preset: str) -> None:
        self.post_message(self.StartAnswered(start_run(self._workspace, self._estimator, config, preset)))

    def on_new_run_screen_start_answered(self, message: StartAnswered) -> None:
        """Watch the run, or say what happened, why, and what to do; the form stays as it is."""
        self._is_starting = False
        if isinstance(message.answer, Refusal):
            self._obstacles = message.answer.by_setting()
            self.query_one(ToolReport).tell("The run was not started", *message.answer.lines())
            if self._obstacles:
                self._go_to(next(iter(self._obstacles)))
        else:
            self.post_message(Opened("monitor", message.answer))
        self._show_checked()

    def act_check(self) -> None:
        """Look at machine, data and model."""
        self._run_tool("environment")

    def act_preflight(self) -> None:
        """Train five steps."""
        self._run_tool("preflight")

    def _run_tool(self, tool: Tool) -> None:
        report, config = self.query_one(ToolReport), self._right_config()
        if report.at_work:
            self.notify(f"F8 stops the {report.at_work.lower()}.", title="One at a time", severity="warning")
        elif config:
            report.run(tool, config, self._workspace, self._estimator.lock)
            self._offer_keys()

    def on_tool_report_ended(self) -> None:
        """A preflight leaves its pace for the estimate."""
        self._ask_estimate()
        self._offer_keys()

    def on_tool_report_shown_or_hidden(self) -> None:
        """Below the form there is room for the estimate or for the report."""
        self.query_one("#side").set_class(self.query_one(ToolReport).is_shown, "-reporting")
        self._offer_keys()

    def act_close(self) -> None:
        """Stop the tool, or hide what it said."""
        report = self.query_one(ToolReport)
        if report.at_work:
            report.stop()
        else:
            report.hide()

    def _right_config(self) -> TrainingConfig | None:
        """The settings, if all are right; else the cursor goes to the first that is not."""
        if self.draft.config is None:
            name = next(name for name in FIELDS if name in self.draft.errors)
            self._go_to(name)
            self._complain("A setting is wrong", self._titled(name, self.draft.errors[name]))
        return self.draft.config

    def _go_to(self, name: str) -> None:
        """Put the cursor into a setting, whatever is searched for."""
        self.query_one("#find", Input).value = ""
        self.query_one(ConfigForm).show_all()
        self.query_one(ConfigForm).row(name).focus_control()

    def _complain(self, title: str, text: str) -> None:
        self.notify(text, title=title, severity="error", markup=False)

    # ---- settings ----------------------------------------------------------------------------------------------------

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
        if config := self._right_config():
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
            self._ask_estimate_soon()

    def act_reset_all(self) -> None:
        """Put every setting back."""
        self.query_one(ConfigSource).reset_all()

    def act_text_add(self) -> None:
        """One more text in the list with the cursor."""
        if texts := self.query_one(ConfigForm).list_at_hand():
            texts.add()

    def act_text_remove(self) -> None:
        """One text less."""
        if texts := self.query_one(ConfigForm).list_at_hand():
            texts.remove_line()

    def act_text_up(self) -> None:
        """The text with the cursor one place up."""
        if texts := self.query_one(ConfigForm).list_at_hand():
            texts.move(-1)

    def act_text_down(self) -> None:
        """The text with the cursor one place down."""
        if texts := self.query_one(ConfigForm).list_at_hand():
            texts.move(1)


def _help(field: SettingField) -> Content:
    bounds = f" [{field.bounds}]" if field.bounds else ""
    return Content.assemble((f"{field.title} ", "bold"), f"{field.help}{bounds} ", (field.name, "$text-muted"))
