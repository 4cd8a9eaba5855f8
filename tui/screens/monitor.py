"""The screen that watches and steers one run."""

import threading
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from textual.widgets import Button

from engine import control
from engine.contract.errors import RunError
from engine.contract.protocol import Command, Pause, RestartWorker, Resume, SaveCheckpoint, Stop, Validate
from engine.contract.run_dir import RunDir
from engine.contract.run_state import is_allowed, why_not
from tui.actions import everywhere
from tui.actions.monitor import action, is_offered, label_of
from tui.asked import AskedCommands
from tui.feed import Batch, JournalFeed
from tui.naming import reference, short_path
from tui.run_view import RunView
from tui.screens.command_dialog import CommandDialog
from tui.screens.main_screen import FULL, MainScreen
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


class MonitorScreen(MainScreen):
    """Loss and pictures largest, the state on top, the log and the buttons below."""

    CSS_PATH = "monitor.tcss"
    SCREEN = "monitor"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "app.act('detach')", show=False)]
    AUTO_FOCUS = "LogPane"

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

    def compose_body(self) -> ComposeResult:
        """Every part; which of them are shown, and where, is for the style sheet and the size to say."""
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
            self.say_too_small()

    def _repaint(self) -> None:
        """Show the view; each part does nothing if it shows that already."""
        self._behind = False
        view = self.view
        self._show_state()
        self.query_one(LossPlot).show(view.steps, view.validation_losses, view.checkpoints)
        self.query_one(Previews).show(view.newest_images(self._expected_images))
        self.query_one(LogPane).extend(view.newest_log(self._logged))
        self._logged = view.logged
        self.say_too_small()

    def _show_state(self) -> None:
        """The cheap part, which a key press does not wait for."""
        self.query_one(Meters).show(self._asked.commands)
        self.query_one(Notice).show()
        self.query_one(ActionBar).show(self.view.state, self.readonly, self.view.stalled_since is not None)

    def too_small_words(self) -> str:
        """State, pace and name."""
        view = self.view
        numbers = f"{pace(view.steps_per_minute)}, {duration(view.eta_seconds)} left\n" if view.eta_seconds else ""
        return (
            f"{state_words(view.state, view.stalled_seconds)} {view.step}/{view.max_train_steps}\n"
            f"{numbers}{view.name}\n{super().too_small_words()}"
        )

    # ---- what the user does ------------------------------------------------------------------------------------------

    async def on_button_pressed(self, event: Button.Pressed) -> None:
        """A button does what its key does."""
        if not isinstance(event.button, ActionButton):
            return
        event.stop()
        await self.run_action(
            f"{'app.' if event.button.entry in everywhere.ACTIONS else ''}act('{event.button.entry.id}')"
        )

    def check_action(self, action_name: str, parameters: tuple[object, ...]) -> bool | None:
        """Pause and resume share a key: the one that is not offered leaves it to the other."""
        if action_name == "act":
            return is_offered(action(str(parameters[0])), self.view.state)
        return True

    def act_pause(self) -> None:
        """Ask for a pause."""
        self._ask(Pause())

    def act_resume(self) -> None:
        """Ask for the end of a pause."""
        self._ask(Resume())

    def act_checkpoint(self) -> None:
        """Ask for a checkpoint."""
        self._ask(SaveCheckpoint())

    def act_validate(self) -> None:
        """Ask for a validation."""
        self._ask(Validate())

    def act_stop(self) -> None:
        """Ask the user how to stop."""
        self._ask_after(StopDialog(self.view.name), Stop)

    def act_restart(self) -> None:
        """Restart a stalled worker at once; one that is heard of only after a question."""
        if self.view.stalled_since is None:
            self._ask_after(RestartDialog(self.view.name), RestartWorker)
        else:
            self._ask(RestartWorker())

    def act_dismiss(self) -> None:
        """Hide the warnings so far."""
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
