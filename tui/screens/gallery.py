"""The Gallery: pictures by prompt and step, scrubbed together, one of them large, or compared with another step."""

from dataclasses import dataclass
from typing import ClassVar, get_args

from textual import events, on, work
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Static

from engine.contract.run_dir import RunDir, Workspace
from tui.actions.gallery import NOT_ON_THE_BAR
from tui.album import Photo, Sheet, ValidationAlbum, expected_pictures, generated_sheets
from tui.browsing import Browsing
from tui.feed import Batch, JournalFeed
from tui.gallery_page import Page, Source, View, words_for_nothing
from tui.navigation import Opened, ScreenName
from tui.screens.main_screen import MainScreen
from tui.screens.path_errands import copy_path, open_path
from tui.widgets.key_bar import KeyBar
from tui.widgets.picture_wall import PictureWall
from tui.widgets.scrubber import Scrubber
from tui.widgets.wall_and_large import WallAndLarge

LOOK_INTERVAL = 3.0  # seconds between looks at the folder of pictures drawn on request


class GalleryScreen(MainScreen):
    """All pictures of one step in a grid; head and details around them."""

    SCREEN: ClassVar[ScreenName] = "gallery"
    CSS_PATH = "gallery.tcss"
    AUTO_FOCUS = ""

    @dataclass
    class RecordsArrived(Message):
        """The journal has something new."""

        batch: Batch

    @dataclass
    class Looked(Message):
        """The folder of pictures drawn on request was read."""

        sheets: list[Sheet]

    def __init__(self, workspace: Workspace, run: RunDir | None) -> None:
        super().__init__()
        self._samples = workspace.outputs / "samples"
        self._run = run
        self._expected = expected_pictures(run)
        self._album = ValidationAlbum(run, self._expected) if run else None
        self._feed = JournalFeed(run, self._deliver) if run else None
        self._is_behind = False  # whether the album knows more than is shown
        self._browsing: dict[Source, Browsing] = {"validation": Browsing(), "generated": Browsing()}
        self._source: Source = "validation"
        self._view: View = "all"
        self._flipped = False  # A is shown in place of the sheet

    def compose_body(self) -> ComposeResult:
        """Head, pictures, line of sheets, details, keys."""
        yield Static(id="head", markup=False)
        yield WallAndLarge(id="pictures")
        yield Scrubber()
        yield Static(id="details", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Show what was shown last time, and begin to look."""
        recall = self.console_app.settings.recall
        source, view = recall("gallery.source", "validation"), recall("gallery.view", "all")
        self._source = next((one for one in get_args(Source) if one == source), "validation")
        self._view = next((one for one in get_args(View) if one == view), "all")
        self._show()
        if self._feed:
            self._feed.start()
        self._look()
        self.set_interval(LOOK_INTERVAL, self._look_if_shown)

    def on_unmount(self) -> None:
        """Look no more."""
        if self._feed:
            self._feed.stop()

    def _deliver(self, batch: Batch) -> None:
        """From the thread of the feed to the event loop."""
        self.post_message(self.RecordsArrived(batch))

    # ---- what there is -----------------------------------------------------------------------------------------------

    def on_gallery_screen_records_arrived(self, message: RecordsArrived) -> None:
        """Take new pictures over; all else in the journal is for other screens."""
        if not self._album:
            return
        self._is_behind |= self._album.apply(message.batch.records)
        if self._is_behind and message.batch.is_whole:  # a long journal comes in parts, which need no pictures
            self._is_behind = False
            self._browsing["validation"].update(self._album.sheets())
            self._show()

    def _look_if_shown(self) -> None:
        if self.is_current and self._source == "generated":
            self._look()

    @work(thread=True, exclusive=True)
    def _look(self) -> None:
        self.post_message(self.Looked(generated_sheets(self._samples)))

    def on_gallery_screen_looked(self, message: Looked) -> None:
        """Take over the pictures that were drawn on request."""
        self._browsing["generated"].update(message.sheets)
        if self._source == "generated":
            self._show()  # also where nothing came: a picture that was torn may be whole now

    def on_screen_resume(self, _event: events.ScreenResume) -> None:
        """What was drawn meanwhile is shown at once."""
        self._look()
        self._show()

    # ---- what is shown -----------------------------------------------------------------------------------------------

    @property
    def browsing(self) -> Browsing:
        """Where the user is, in the pictures at hand."""
        return self._browsing[self._source]

    @property
    def page(self) -> Page:
        """What is to be seen."""
        words = words_for_nothing(self._source, self._run is not None, self._expected)
        return Page(self._source, self._view, self._flipped, self.browsing, words)

    def _show(self) -> None:
        """Bring every part up to date; each does nothing if it shows that already."""
        if not self.is_mounted or not self.is_current:
            return  # done when the screen comes back
        browsing, page = self.browsing, self.page
        self.query_one(WallAndLarge).show(page.tiles(), page.large())
        self.query_one(Scrubber).show(len(browsing.sheets), browsing.at, browsing.marked)
        self.query_one("#head", Static).update(page.head(), layout=False)
        self.query_one("#details", Static).update(page.details(), layout=False)
        self.query_one(KeyBar).show([entry for entry in self.actions() if entry.id not in NOT_ON_THE_BAR])

    # ---- what the user does ------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would do something is offered."""
        if action != "act":
            return True
        match parameters[0]:
            case "base":
                return any(sheet.is_base for sheet in self.browsing.sheets)
            case "back" | "source":
                return True
            case _:
                return bool(self.browsing.sheets)

    def action_act(self, identity: str) -> None:
        """Moves here, all else as on every screen."""
        if self.browsing.moved(identity):
            self._show()
        else:
            super().action_act(identity)

    def act_large(self) -> None:
        """One picture, or all."""
        self._change_view("all" if self._view == "one" else "one")

    def act_compare(self) -> None:
        """A and the sheet side by side, or all."""
        self._flipped = False
        self._change_view("all" if self._view == "pair" else "pair")

    def act_back(self) -> None:
        """All pictures of the sheet itself; from there to what the run does, or to all runs where there is none."""
        if self._view == "all" and not self._flipped:
            self.post_message(Opened("monitor" if self._run else "runs"))
        else:
            self._show_all()

    def _show_all(self) -> None:
        self._flipped = False
        self._change_view("all")

    def _change_view(self, view: View) -> None:
        self._view = view
        self.console_app.settings.remember("gallery.view", view)
        self._show()

    def act_flip(self) -> None:
        """A in place of the sheet, and back."""
        self._flipped = not self._flipped
        self._view = "one" if self._view == "pair" else self._view
        self._show()

    def act_mark(self) -> None:
        """This sheet is A."""
        self.browsing.mark()
        self._show()

    def act_base(self) -> None:
        """A is what the base model drew; beside it the sheet."""
        self.browsing.mark_base()
        self._flipped = False
        self._change_view("pair")

    def act_source(self) -> None:
        """The other pictures."""
        self._source = "generated" if self._source == "validation" else "validation"
        self._flipped = False
        self.console_app.settings.remember("gallery.source", self._source)
        self._look()
        self._show()

    def act_drawn(self) -> None:
        """All of the newest pictures drawn on request, which another screen asks for."""
        if self._source != "generated":
            self.act_source()
        self.browsing.moved("newest")
        self._show_all()

    def act_open(self) -> None:
        """The picture in another program."""
        if photo := self._chosen_photo():
            open_path(self, photo.path)

    def act_copy(self) -> None:
        """Its path on the clipboard."""
        if photo := self._chosen_photo():
            copy_path(self, photo.path)

    def _chosen_photo(self) -> Photo | None:
        photo = self.page.photo
        if photo is None:
            self.notify("This picture is not drawn yet.", severity="warning")
        return photo

    @on(Scrubber.Scrubbed)
    def _scrub(self, message: Scrubber.Scrubbed) -> None:
        self.browsing.go(message.at)
        self._show()

    @on(PictureWall.Chosen)
    def _click(self, message: PictureWall.Chosen) -> None:
        """A click chooses, a second one shows it large, one more shows all again."""
        if self._view == "all" and self.browsing.sheets:
            self.browsing.choose(message.index)
            self._show()
        if message.twice and self.browsing.sheets:
            self.act_large()
