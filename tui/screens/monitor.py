"""The screen that watches and steers one run."""

import threading
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Button, Static

from engine import control
from engine.contract.errors import RunError
from engine.contract.protocol import Command, RestartWorker, Stop
from engine.contract.run_dir import RunDir
from engine.contract.run_state import is_allowed, why_not
from tui.actions import ACTIONS, Action, action, is_offered, label_of
from tui.asked import AskedCommands
from tui.feed import Batch, JournalFeed
from tui.naming import reference, short_path
from tui.run_view import RunView
from tui.screens.command_dialog import CommandDialog
from tui.screens.help import HelpScreen
from tui.screens.restart_dialog import RestartDialog
from tui.screens.stop_dialog import StopDialog
from tui.terminal import is_remote
from tui.widgets.action_bar import ActionBar, ActionButton
from tui.widgets.log_pane import LogPane
from tui.widgets.loss_plot import LossPlot
from tui.widgets.meters import Meters
from tui.widgets.notice import Notice
from tui.widgets.previews import Previews
from tui.wording import duration, pace, state_words

REPAINT_INTERVAL, REMOTE_REPAINT_INTERVAL = 0.5, 1.0  # seconds
SMALLEST = (56, 14)  # columns and rows below which only words are shown
FULL = (80, 24)  # below that, and unless the height makes up for the width, the log is left out


def bindings() -> list[BindingType]:
    """One binding for each action of the table; the id lets a key map change it."""
    return [
        Binding(entry.keys, f"act('{entry.id}')", entry.label, tooltip=entry.help, id=f"run.{entry.id}")
        for entry in ACTIONS
    ]


class MonitorScreen(Screen[None]):
    """Loss and pictures largest, the state on top, the log and the buttons below."""

    CSS_PATH = "monitor.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings()
    AUTO_FOCUS = "LogPane"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012  # Textual types it as an instance's
        (0, "-tiny"), (SMALLEST[0], "-narrow"), (FULL[0], "-medium"), (120, "-wide"),
    ]  # fmt: skip
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-flat"), (SMALLEST[1], "-short"), (FULL[1], "-full"), (40, "-tall"),
    ]  # fmt: skip

    @dataclass
    class RecordsArrived(Message):
        """The journal or the lock has something new."""

        batch: Batch

    @dataclass
    class CommandSent(Message):
        """The supervisor has taken a command."""

        press: int
        command_id: str

    @dataclass
    class CommandRefused(Message):
        """The supervisor has not taken a command."""

        press: int
        error: RunError

    def __init__(self, run: RunDir, readonly: bool = False) -> None:
        super().__init__()
        config = run.config()
        self.run = run
        self.readonly = readonly
        self.view = RunView(run.name, config.max_train_steps)
        self._expected_images = config.num_validation_images
        self._asked = AskedCommands()
        self._feed = JournalFeed(run, self._deliver)
        self._logged = 0  # lines of the view's log that the pane has
        self._behind = False  # whether the view knows more than the screen shows

    def compose(self) -> ComposeResult:
        """Every part; which of them are shown, and where, is for the style sheet and the size to say."""
        yield Static(id="too-small", markup=False)
        with Vertical(id="all"):
            yield Meters(self.view, self.readonly)
            yield Notice(self.view, short_path(self.run.lora_weights), f"shoelora-tui resume {reference(self.run)}")
            with Container(id="middle"):
                yield LossPlot(self.view.max_train_steps)
                yield Previews(self.run.path, self._expected_images)
            yield LogPane()
            yield ActionBar()

    def on_mount(self) -> None:
        """Begin to read the journal and to repaint."""
        self._repaint()
        self._feed.start()
        self.set_interval(REMOTE_REPAINT_INTERVAL if is_remote() else REPAINT_INTERVAL, self._repaint_if_behind)

    def on_unmount(self) -> None:
        """Read no more."""
        self._feed.stop()

    def on_resize(self, event: events.Resize) -> None:
        """Say what does not fit."""
        width, height = event.size
        self.query_one(Meters).remark = self._compact_remark(width, height)
        self._say_too_small()

    @staticmethod
    def _compact_remark(width: int, height: int) -> str:
        if height < FULL[1] or (width < FULL[0] and height < 40):
            return f"compact: log from {FULL[0]}x{FULL[1]}"
        return ""

    def _deliver(self, batch: Batch) -> None:
        """From the thread of the feed to the event loop."""
        self.post_message(self.RecordsArrived(batch))

    # ---- what the run does -------------------------------------------------------------------------------------------

    def on_monitor_screen_records_arrived(self, message: RecordsArrived) -> None:
        """Fold a batch into the view; the first one is shown at once, the others at the next repaint."""
        first = self.view.last_seq == 0
        for record in message.batch.records:
            self.view.apply(record)
        self.view.conclude(message.batch.live)
        self._asked.recorded(record.command_id for record in message.batch.records if record.command_id)
        self._behind = True
        if first:
            self._repaint()

    def _repaint_if_behind(self) -> None:
        if self._behind:
            self._repaint()
        elif self.view.stalled_since is not None:  # nothing comes, and that it lasts is the news
            self._show_state()
            self._say_too_small()

    def _repaint(self) -> None:
        """Show the view; each part does nothing if it shows that already."""
        self._behind = False
        view = self.view
        self._show_state()
        self.query_one(LossPlot).show(view.steps, view.validation_losses, view.checkpoints)
        self.query_one(Previews).show(view.newest_images(self._expected_images))
        self.query_one(LogPane).extend(view.newest_log(self._logged))
        self._logged = view.logged
        self._say_too_small()

    def _show_state(self) -> None:
        """The cheap part, which a key press does not wait for."""
        self.query_one(Meters).show(self._asked.commands)
        self.query_one(Notice).show()
        self.query_one(ActionBar).show(self.view.state, self.readonly, self.view.stalled_since is not None)

    def _say_too_small(self) -> None:
        (width, height), view = self.size, self.view
        numbers = f"{pace(view.steps_per_minute)}, {duration(view.eta_seconds)} left\n" if view.eta_seconds else ""
        self.query_one("#too-small", Static).update(
            f"Too small: {width}x{height}, needs {SMALLEST[0]}x{SMALLEST[1]}\n"
            f"{state_words(view.state, view.stalled_seconds)} {view.step}/{view.max_train_steps}\n"
            f"{numbers}{view.name}\nq leaves, all other keys work too"
        )

    # ---- what the user does ------------------------------------------------------------------------------------------

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A button does what its key does."""
        if isinstance(event.button, ActionButton):
            self.action_act(event.button.entry.id)

    def check_action(self, action_name: str, parameters: tuple[object, ...]) -> bool | None:
        """Pause and resume share a key: the one that is not offered leaves it to the other."""
        if action_name == "act":
            return is_offered(action(str(parameters[0])), self.view.state)
        return True

    def action_act(self, identity: str) -> None:
        """Do what an action of the table says."""
        entry = action(identity)
        match entry:
            case Action(id="stop"):
                self._ask_after(StopDialog(self.view.name), Stop)
            case Action(id="restart") if self.view.stalled_since is None:
                self._ask_after(RestartDialog(self.view.name), RestartWorker)
            case Action(command=command) if command:
                self._ask(command())
            case Action(id="detach"):
                self.app.exit()
            case Action(id="help"):
                self.app.push_screen(HelpScreen())
            case Action(id="dismiss"):
                self.query_one(Notice).dismiss()

    def _ask_after(self, dialog: CommandDialog, command: type[Command]) -> None:
        """Ask the user first how, or whether."""
        if self._may(command):
            self.app.push_screen(dialog, lambda answer: self._ask(answer) if answer else None)

    def _may(self, command: type[Command]) -> bool:
        """Whether a command can be sent now; says why if not."""
        if self.readonly:
            self._say(f"Attach without --readonly to steer run {self.view.name}.", "Read-only")
        elif not is_allowed(self.view.state, command):
            reason = why_not(self.view.state, command).replace(command.__name__, label_of(command.__name__))
            self._say(f"{reason[0].upper()}{reason[1:]}.", "Not now")
        else:
            return True
        return False

    def _ask(self, command: Command) -> None:
        """Send a command from a thread, since a supervisor may take its time to answer."""
        if not self._may(type(command)):
            return
        press = self._asked.ask(type(command).__name__)
        self._show_state()
        threading.Thread(target=self._send, args=(command, press), daemon=True).start()  # detaching never waits for it

    def _send(self, command: Command, press: int) -> None:
        try:
            request = control.send(self.run, command)
        except RunError as error:
            self.post_message(self.CommandRefused(press, error))
        else:
            self.post_message(self.CommandSent(press, request.id))

    def on_monitor_screen_command_sent(self, message: CommandSent) -> None:
        """From here on the journal tells what becomes of it."""
        self._asked.sent(message.press, message.command_id)
        self._show_state()

    def on_monitor_screen_command_refused(self, message: CommandRefused) -> None:
        """Say what happened, why, and what to do."""
        self._asked.refused(message.press)
        self._show_state()
        error = message.error
        self._say(f"{error.why}\n{error.remedy}".strip(), error.what, severe=True)

    def _say(self, text: str, title: str, severe: bool = False) -> None:
        self.notify(text, title=title, severity="error" if severe else "warning", markup=False)
