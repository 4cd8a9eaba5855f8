"""The base of the six screens: navigation bar on top, body below, keys from the table, words where it is too small."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from engine.contract.run_dir import RunDir
from tui.actions import TABLE, Action, Place
from tui.navigation import ScreenName
from tui.widgets.navigation_bar import NavigationBar

if TYPE_CHECKING:
    from tui.console import ConsoleApp

SMALLEST = (56, 14)  # columns and rows below which only words are shown
FULL = (80, 24)  # from here on nothing is left out
HUGE = 200  # columns; such a screen is -wide and -huge


def bindings(place: Place) -> list[BindingType]:
    """One binding for each action of a place; the id lets a key map change it."""
    return [
        Binding(entry.keys, f"act('{entry.id}')", entry.label, tooltip=entry.help, id=f"{place}.{entry.id}")
        for entry in TABLE[place]
    ]


class MainScreen(Screen[None]):
    """A screen of its own key. A subclass gives SCREEN, compose_body() and act_<id>() for each of its actions.

    It goes on living, with its timers, while another screen is shown; `is_current` tells.
    """

    DEFAULT_CSS = """
    MainScreen {
        background: $background; overflow: hidden;
        #body { height: 1fr; }
        #too-small { display: none; height: 1fr; }
        &.-tiny, &.-flat {
            #body, NavigationBar { display: none; }
            #too-small { display: block; }
        }
    }
    """
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012  # Textual types it as an instance's
        (0, "-tiny"), (SMALLEST[0], "-narrow"), (FULL[0], "-medium"), (120, "-wide"),
    ]  # fmt: skip
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-flat"), (SMALLEST[1], "-short"), (FULL[1], "-full"), (40, "-tall"),
    ]  # fmt: skip
    SCREEN: ClassVar[ScreenName]

    def __init_subclass__(cls, **options: Any) -> None:
        """Put the bindings of the table before those that the subclass has besides."""
        cls.BINDINGS = [*bindings(cls.SCREEN), *cls.__dict__.get("BINDINGS", [])]
        super().__init_subclass__(**options)

    def compose(self) -> ComposeResult:
        """Every part; which of them are shown, and where, is for the style sheet and the size to say."""
        # Textual gives the classes of the size after the first layout, and then lays out and paints anew.
        width, height = self.app.size
        for length, breakpoints in ((width, self.HORIZONTAL_BREAKPOINTS), (height, self.VERTICAL_BREAKPOINTS)):
            self.add_class(max((least, name) for least, name in breakpoints if least <= length)[1])
        run = self.console_app.run_dir
        yield NavigationBar(self.SCREEN, run.name if run else "")
        yield Static(id="too-small", markup=False)
        with Container(id="body"):
            yield from self.compose_body()

    def compose_body(self) -> Iterable[Widget]:
        """The widgets of this screen."""
        raise NotImplementedError

    @property
    def console_app(self) -> "ConsoleApp":
        """The app, with settings, run in hand and way of showing pictures."""
        return cast("ConsoleApp", self.app)

    def run_in_hand(self) -> RunDir | None:
        """The run that another screen is to show when it is called from here; None leaves it as it is."""
        return None

    def too_small_words(self) -> str:
        """What to say, besides the size needed, where nothing else has room."""
        return "q leaves, all other keys work too"

    def say_too_small(self) -> None:
        """Bring the words for small windows up to date; cheap where they are not shown."""
        width, height = self.size
        if width < SMALLEST[0] or height < SMALLEST[1]:
            needs = f"Too small: {width}x{height}, needs {SMALLEST[0]}x{SMALLEST[1]}"
            self.query_one("#too-small", Static).update(f"{needs}\n{self.too_small_words()}")

    def on_resize(self, event: events.Resize) -> None:
        """Say what does not fit, and what is more than enough: Textual gives a screen one class for its width only."""
        self.set_class(event.size.width >= HUGE, "-huge")
        self.say_too_small()

    def key_escape(self) -> None:
        """Leave a text field, so that keys mean actions again."""
        if isinstance(self.focused, Input | TextArea):
            self.set_focus(None)

    def actions(self) -> list[Action]:
        """The actions of this screen that are offered now."""
        return [entry for entry in TABLE[self.SCREEN] if self.check_action("act", (entry.id,))]

    def act_when_ready(self, identity: str) -> None:
        """Do what an action says once this screen, which may just have been made, can."""
        self.call_after_refresh(self.action_act, identity)

    def action_act(self, identity: str) -> None:
        """Do what an action of the table says."""
        getattr(self, "act_" + identity.replace(".", "_").replace("-", "_"))()
