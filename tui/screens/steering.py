"""SteeringScreen: the half of the Monitor that sends commands to the run, and says at once that they were sent."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from textual.message import Message

from engine import control
from engine.contract.errors import ShoeloraError
from engine.contract.protocol import Command, Pause, RestartWorker, Resume, SaveCheckpoint, Stop, Validate
from engine.contract.run_dir import RunDir
from engine.contract.run_state import is_allowed, why_not
from tui.actions.monitor import action, is_offered, label_of
from tui.asked import AskedCommands
from tui.run_view import new_view
from tui.screens.command_dialog import CommandDialog
from tui.screens.main_screen import MainScreen
from tui.screens.restart_dialog import RestartDialog
from tui.screens.stop_dialog import StopDialog


class SteeringScreen(MainScreen):
    """A subclass shows `asked` in `show_state`, and tells `asked` of what the journal records."""

    SCREEN = "monitor"

    @dataclass
    class CommandSent(Message):
        """The supervisor has taken a command."""

        press: int
        command_id: str

    @dataclass
    class CommandRefused(Message):
        """The supervisor has not taken a command, or an ended run could not be started again."""

        press: int
        error: ShoeloraError

    @dataclass
    class StartedAgain(Message):
        """An ended run has a supervisor again."""

        press: int

    def __init__(self, run: RunDir, readonly: bool) -> None:
        super().__init__()
        self.run = run
        self.readonly = readonly
        self.view = new_view(run)
        self.asked = AskedCommands()

    def show_state(self) -> None:
        """Bring what tells of the run's state and of commands up to date."""
        raise NotImplementedError

    def check_action(self, action_name: str, parameters: tuple[object, ...]) -> bool | None:
        """Pause and resume share a key: the one that is not offered leaves it to the other."""
        if action_name == "act":
            return is_offered(action(str(parameters[0])), self.view.state)
        return True

    def act_pause(self) -> None:
        """Ask for a pause."""
        self._ask(Pause())

    def act_resume(self) -> None:
        """Ask for the end of a pause, or start an ended run again from its newest good checkpoint."""
        if self.view.state.is_resumable and not self.readonly:
            self._start(Resume(), self._start_again)
        else:
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

    def _ask_after(self, dialog: CommandDialog, command: type[Command]) -> None:
        """Ask the user first how, or whether."""
        if self._may(command):
            self.app.push_screen(dialog, lambda answer: self._ask(answer) if answer else None)

    def _may(self, command: type[Command]) -> bool:
        """Whether a command can be sent now; says why if not."""
        if self.readonly:
            self.say(f"Attach without --readonly to steer run {self.view.name}.", "Read-only")
        elif not is_allowed(self.view.state, command):
            reason = why_not(self.view.state, command).replace(command.__name__, label_of(command.__name__))
            self.say(f"{reason[0].upper()}{reason[1:]}.", "Not now")
        else:
            return True
        return False

    def _ask(self, command: Command) -> None:
        """Send a command, if it can be sent now."""
        if self._may(type(command)):
            self._start(command, self._send)

    def _start(self, command: Command, act: Callable[[Command, int], None]) -> None:
        """Show that a command was asked for, and act in a thread: a supervisor may take its time to answer."""
        press = self.asked.ask(type(command).__name__)
        self.show_state()

        def work() -> None:
            try:
                act(command, press)
            except ShoeloraError as error:
                self.post_message(self.CommandRefused(press, error))

        threading.Thread(target=work, daemon=True).start()  # detaching never waits for it

    def _send(self, command: Command, press: int) -> None:
        self.post_message(self.CommandSent(press, control.send(self.run, command).id))

    def _start_again(self, _command: Command, press: int) -> None:
        control.restart(self.run)
        self.post_message(self.StartedAgain(press))

    def on_steering_screen_started_again(self, message: StartedAgain) -> None:
        """From here on the journal tells what the run does."""
        self.asked.forget(message.press)
        self.show_state()

    def on_steering_screen_command_sent(self, message: CommandSent) -> None:
        """From here on the journal tells what becomes of it."""
        self.asked.sent(message.press, message.command_id)
        self.show_state()

    def on_steering_screen_command_refused(self, message: CommandRefused) -> None:
        """Say what happened, why, and what to do."""
        self.asked.forget(message.press)
        self.show_state()
        error = message.error
        self.say(f"{error.why}\n{error.remedy}".strip(), error.what, severe=True)

    def say(self, text: str, title: str, severe: bool = False) -> None:
        """A word in the corner."""
        self.notify(text, title=title, severity="error" if severe else "warning", markup=False)
