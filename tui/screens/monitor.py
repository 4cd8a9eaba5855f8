"""The screen that watches and steers one run."""

from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.widgets import Button

from engine.contract.run_dir import RunDir
from tui.actions import everywhere
from tui.actions.monitor import action
from tui.album import newest_images
from tui.feed import Batch, JournalFeed
from tui.naming import reference, short_path
from tui.navigation import Opened
from tui.screens.diagnosis import DiagnosisScreen
from tui.screens.main_screen import FULL
from tui.screens.path_errands import copy_path, open_path
from tui.screens.plot_actions import PlotActions
from tui.screens.steering import SteeringScreen
from tui.terminal import is_remote
from tui.widgets.action_bar import ActionBar
from tui.widgets.action_button import ActionButton
from tui.widgets.details import NAMES, Details
from tui.widgets.meters import Meters
from tui.widgets.notice import Notice
from tui.widgets.plot_pane import PlotPane
from tui.widgets.previews import Previews
from tui.wording import duration, pace, state_words

REPAINT_INTERVAL, REMOTE_REPAINT_INTERVAL = 0.5, 1.0  # seconds


class MonitorScreen(SteeringScreen, PlotActions):
    """Curves and pictures largest, the state on top, log, checkpoints and warnings below, then the buttons."""

    CSS_PATH = "monitor.tcss"
    SCREEN = "monitor"
    AUTO_FOCUS = "LogPane"

    @dataclass
    class RecordsArrived(Message):
        """The journal or the lock has something new."""

        batch: Batch

    def __init__(self, run: RunDir, readonly: bool = False) -> None:
        super().__init__(run, readonly)
        self._expected_images = run.config().num_validation_images
        self._feed = JournalFeed(run, self._deliver)
        self._caught_up = False  # whether all that was recorded before the screen came up has been read
        self._behind = False  # whether the view knows more than the screen shows
        self._postponed: list[str] = []  # actions that were chosen before it was known what the run is doing

    def compose_body(self) -> ComposeResult:
        """Every part; which of them are shown, and where, is for the style sheet and the size to say."""
        settings = self.console_app.settings
        yield Meters(self.view, self.readonly)
        yield Notice(self.view, short_path(self.run.lora_weights), f"shoelora-tui resume {reference(self.run)}")
        with Container(id="middle"):
            yield PlotPane(self.view, settings)
            yield Previews(self.run.path, self._expected_images)
            yield Details(self.view, settings)
        yield ActionBar()

    def on_mount(self) -> None:
        """Begin to repaint, and to read the journal as soon as there is something to look at."""
        self._repaint()
        self.call_after_refresh(self._feed.start)
        self.set_interval(REMOTE_REPAINT_INTERVAL if is_remote() else REPAINT_INTERVAL, self._repaint_if_behind)

    def on_unmount(self) -> None:
        """Read no more."""
        self._feed.stop()

    def on_screen_resume(self) -> None:
        """Show what came while another screen was shown."""
        self._repaint()

    def on_resize(self, _event: events.Resize) -> None:
        """Say what does not fit."""
        if not self._is_compact:
            self.remove_class("-details")
        self.query_one(Meters).remark = f"{action('pane').signs[0]}: log, checkpoints…" if self._is_compact else ""
        self.call_after_refresh(self.show_state)

    @property
    def _is_compact(self) -> bool:
        """Whether log, checkpoints and warnings have no place of their own."""
        width, height = self.size
        return height < FULL[1] or (width < FULL[0] and height < 40)

    def _deliver(self, batch: Batch) -> None:
        """From the thread of the feed to the event loop."""
        self.post_message(self.RecordsArrived(batch))

    # ---- what the run does -------------------------------------------------------------------------------------------

    def on_monitor_screen_records_arrived(self, message: RecordsArrived) -> None:
        """Fold a batch into the view; what was recorded so far is shown at once, the rest at the next repaint."""
        batch = message.batch
        for record in batch.records:
            self.view.apply(record)
        self.view.unreadable_lines = message.batch.unreadable_lines
        self.asked.recorded(record.command_id for record in batch.records if record.command_id)
        if batch.is_whole:
            self.view.conclude(batch.live)
            self._behind = True
        if batch.is_whole and not self._caught_up:
            self._caught_up = True
            self._repaint()
            while self._postponed:
                self.action_act(self._postponed.pop(0))

    def act_when_ready(self, identity: str) -> None:
        """What a command does depends on the state of the run, which is known once the journal has been read."""
        if self._caught_up:
            self.action_act(identity)
        else:
            self._postponed.append(identity)

    def _repaint_if_behind(self) -> None:
        if self not in self.app.screen_stack:
            return
        if self._behind:
            self._repaint()
        elif self.view.stalled_since is not None:  # nothing comes, and that it lasts is the news
            self.show_state()
            self.say_too_small()

    def _repaint(self) -> None:
        """Show the view; each part does nothing if it shows that already."""
        self._behind = False
        self.show_state()
        self.query_one(PlotPane).show()
        self.query_one(Previews).show(newest_images(self.view.images, self._expected_images))
        self.query_one(Details).show()
        self.say_too_small()

    def show_state(self) -> None:
        """The cheap part, which a key press does not wait for."""
        self.query_one(Meters).show(self.asked.commands)
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

    def act_pane(self) -> None:
        """The next of log, checkpoints and warnings; in a small window they take turns with plot and pictures."""
        details = self.query_one(Details)
        if self._is_compact and not self.has_class("-details"):
            details.choose(0)
            self.add_class("-details")
        elif self._is_compact and details.pane == len(NAMES) - 1:
            self.remove_class("-details")
        else:
            details.choose(details.pane + 1)

    def act_find(self) -> None:
        """Ask what to find in the log."""
        self.set_class(self._is_compact, "-details")
        self.query_one(Details).ask_what_to_find()

    def act_find_next(self) -> None:
        """The next place."""
        self.query_one(Details).find_next(1)

    def act_find_previous(self) -> None:
        """The place before."""
        self.query_one(Details).find_next(-1)

    def act_up(self) -> None:
        """Read further back."""
        self.query_one(Details).scroll_shown("up")

    def act_down(self) -> None:
        """Read on."""
        self.query_one(Details).scroll_shown("down")

    def act_page_up(self) -> None:
        """Read a page further back."""
        self.query_one(Details).scroll_shown("page_up")

    def act_page_down(self) -> None:
        """Read a page on."""
        self.query_one(Details).scroll_shown("page_down")

    def act_top(self) -> None:
        """The oldest."""
        self.query_one(Details).scroll_shown("home")

    def act_end(self) -> None:
        """The newest."""
        self.query_one(Details).scroll_shown("end")

    def act_back(self) -> None:
        """End finding, then looking at a step, then reading the log in a small window; then show all runs."""
        if self.query_one(Details).end_finding():
            return
        if self.plot.cursor is not None:
            self.plot.end_inspection()
        elif self.has_class("-details"):
            self.remove_class("-details")
        else:
            self.post_message(Opened("runs"))

    def act_dismiss(self) -> None:
        """Hide the warnings so far."""
        self.query_one(Notice).dismiss()

    def act_diagnosis(self) -> None:
        """Say what may be wrong."""
        self.app.push_screen(DiagnosisScreen(self.view))

    def act_gallery(self) -> None:
        """All pictures."""
        self.post_message(Opened("gallery", self.run))

    def act_folder(self) -> None:
        """Open the folder of the run."""
        open_path(self, self.run.path)

    def act_copy(self) -> None:
        """Put its path on the clipboard."""
        copy_path(self, self.run.path)
