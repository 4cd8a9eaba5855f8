"""The screen that has pictures drawn: the form, how far it is, and what comes out."""

import secrets
from dataclasses import dataclass

from textual import events, work
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Button, Input, Select
from textual.worker import get_current_worker

from engine.contract.protocol import PhaseProgressed
from engine.contract.run_dir import RunDir, Workspace
from tui.device_sharing import runs_on_the_device
from tui.navigation import Opened
from tui.picture_request import FIELDS, PictureRequest, defaults, picture_request
from tui.picture_sources import PictureSource, picture_sources, preferred
from tui.sampling import Ended, Said, Sampling, StartTool, start_tool
from tui.sampling_progress import SamplingProgress
from tui.screens.main_screen import MainScreen
from tui.screens.share_dialog import ShareDialog
from tui.settings import Settings
from tui.widgets.drawn_pictures import DrawnPictures
from tui.widgets.key_bar import KeyBar
from tui.widgets.sample_form import SampleForm
from tui.widgets.sample_status import SampleStatus

REPAINT_INTERVAL = 0.5  # seconds
SEEDS = 2**32  # numbers that a random seed is drawn from; more digits are only harder to copy


class GenerateScreen(MainScreen):
    """Pictures of any base model or adapter of the workspace; one request at a time."""

    CSS_PATH = "generate.tcss"
    SCREEN = "generate"
    AUTO_FOCUS = ""  # no field, so that keys mean actions

    @dataclass
    class SourcesFound(Message):
        """What there is to draw with, and who needs the memory as well."""

        sources: list[PictureSource]
        live: list[str]

    @dataclass
    class Considered(Message):
        """A request, and the live runs beside which it would be carried out."""

        request: PictureRequest
        live: list[str]

    @dataclass
    class Told(Message):
        """The tool has said something."""

        said: Said

    def __init__(self, workspace: Workspace, run: RunDir | None) -> None:
        super().__init__()
        self.workspace = workspace
        self.run = run
        self.start_tool: StartTool = start_tool
        self._sampling: Sampling | None = None
        self._progress: SamplingProgress | None = None
        self._live: list[str] = []
        self._filled = False
        self._behind = False  # whether more is known than the status says

    def compose_body(self) -> ComposeResult:
        """Form, status, pictures, buttons."""
        yield SampleForm()
        yield SampleStatus()
        yield DrawnPictures()
        yield KeyBar()

    def on_mount(self) -> None:
        """Begin to repaint."""
        self._show_status()
        self.set_interval(REPAINT_INTERVAL, self._repaint_if_behind)

    def on_screen_resume(self, _event: events.ScreenResume) -> None:
        """Look anew at what there is; a run may have saved more."""
        self._look()

    def on_unmount(self) -> None:
        """Nobody would see the pictures any more."""
        if self._sampling:
            self._sampling.stop()
            self._say("What was done by then is in the Gallery.", "Drawing stopped: another run was opened")

    @property
    def _settings(self) -> Settings:
        return self.console_app.settings

    # ---- what there is to draw with ----------------------------------------------------------------------------------

    @work(thread=True, exclusive=True, group="look")
    def _look(self) -> None:
        sources = picture_sources(self.workspace, self.run)
        chosen = preferred(sources, self._settings.recall("generate.source", ""), self.run)
        live = runs_on_the_device(self.workspace, chosen.config) if chosen else []
        if not get_current_worker().is_cancelled:
            self.post_message(self.SourcesFound(sources, live))

    def on_generate_screen_sources_found(self, message: SourcesFound) -> None:
        """Offer them; the first time also fill the form."""
        form = self.query_one(SampleForm)
        before = form.source.key if form.source else ""
        chosen = next((source for source in message.sources if source.key == before), None)
        chosen = chosen or preferred(message.sources, self._settings.recall("generate.source", ""), self.run)
        form.offer(message.sources, chosen)
        if chosen and not self._filled:
            self._filled = True
            values = defaults(chosen.config)
            form.fill({field: self._settings.recall(f"generate.{field}", values[field]) for field in FIELDS})
        self._live = message.live
        self._show_status()

    def on_sample_form_left(self, message: SampleForm.Left) -> None:
        """Keep what was typed or chosen."""
        if self._filled:
            self._settings.remember(f"generate.{message.field}", message.value)

    # ---- drawing -----------------------------------------------------------------------------------------------------

    def on_sample_form_submitted(self, _message: SampleForm.Submitted) -> None:
        """Enter in a field."""
        self.act_draw()

    def act_draw(self) -> None:
        """Draw, if all values can be used and, where a run would suffer, the user agrees."""
        form = self.query_one(SampleForm)
        if self.console_app.readonly:
            self._say("Attach without --readonly to have pictures drawn.", "Read-only")
        elif self._sampling:
            self._say("s stops it.", "Pictures are being drawn")
        elif found := form.find_faults():
            form.query_one(f"#{next(iter(found))}", Input).focus()
        elif source := form.source:
            typed = form.typed()
            for field, value in typed.items():
                self._settings.remember(f"generate.{field}", value)
            self._consider(picture_request(typed, source))
        else:
            self._say("Choose an adapter or a base model.", "There is nothing to draw with")
            form.query_one("#source", Select).focus()

    @work(thread=True, exclusive=True, group="consider")
    def _consider(self, request: PictureRequest) -> None:
        live = runs_on_the_device(self.workspace, request.config)
        if not get_current_worker().is_cancelled:
            self.post_message(self.Considered(request, live))

    def on_generate_screen_considered(self, message: Considered) -> None:
        """Ask first where a live run shares the memory."""
        if self._sampling:
            return
        if message.live:
            dialog = ShareDialog(message.live)
            self.app.push_screen(dialog, lambda agreed: self._draw(message.request) if agreed else None)
        else:
            self._draw(message.request)

    def _draw(self, request: PictureRequest) -> None:
        self._progress = SamplingProgress(request.count)
        self.query_one(DrawnPictures).show(self._progress)
        self._sampling = Sampling(lambda: self.start_tool(request.config, self.workspace, request.words), self._deliver)
        self._show_status()

    def _deliver(self, said: Said) -> None:
        """From the thread of the tool to the event loop."""
        if self.is_running:
            self.post_message(self.Told(said))

    def on_generate_screen_told(self, message: Told) -> None:
        """Show pictures at once, progress at the next repaint."""
        assert self._progress
        self._progress.apply(message.said)
        self._behind = True
        if not isinstance(message.said, PhaseProgressed):
            self.query_one(DrawnPictures).show(self._progress)
        if isinstance(message.said, Ended):
            self._sampling = None
            self._show_status()

    # ---- what else the user does -------------------------------------------------------------------------------------

    def act_stop(self) -> None:
        """End the drawing."""
        if self._sampling:
            self._sampling.stop()
            self._show_status()

    def act_random(self) -> None:
        """Another seed."""
        self.query_one(SampleForm).fill({"seed": str(secrets.randbelow(SEEDS))})

    def act_edit(self) -> None:
        """To the prompt."""
        self.query_one("#prompt", Input).focus()

    def act_gallery(self) -> None:
        """The pictures that were drawn, in the Gallery; before there are any, what it showed last."""
        drawn = self._progress is not None and self._progress.pictures
        self.post_message(Opened("gallery", self.run, "drawn" if drawn else ""))

    def check_action(self, action_name: str, parameters: tuple[object, ...]) -> bool | None:
        """There is something to stop while pictures are drawn, and nothing else to begin."""
        if action_name == "act" and parameters[0] in {"draw", "stop"}:
            return (parameters[0] == "stop") == (self._sampling is not None)
        return True

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The button of the form draws, or stops."""
        event.stop()
        if self._sampling:
            self.act_stop()
        else:
            self.act_draw()

    # ---- words -------------------------------------------------------------------------------------------------------

    def too_small_words(self) -> str:
        """How far it is, where nothing else has room."""
        drawing = f"{self._progress.line(8)}\n" if self._sampling and self._progress else ""
        return f"{drawing}{super().too_small_words()}"

    def _repaint_if_behind(self) -> None:
        if self._behind:
            self._behind = False
            self._show_status()
            self.say_too_small()

    def _show_status(self) -> None:
        """What is to be said, and which buttons would be obeyed."""
        is_stopping = self._sampling is not None and self._sampling.is_stopping
        self.query_one(SampleStatus).show(self._progress, is_stopping, self._live)
        self.query_one(SampleForm).show_busy(self._sampling is not None)
        self.query_one(KeyBar).show(self.actions())

    def _say(self, text: str, title: str) -> None:
        self.notify(text, title=title, severity="warning", markup=False)
