"""ConsoleApp: the Textual application; thin, since each screen knows its own business."""

import os
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, ClassVar

from textual.app import SystemCommand
from textual.binding import BindingType
from textual.color import Color
from textual.filter import LineFilter
from textual.reactive import reactive
from textual.screen import Screen

from engine.contract.errors import ShoeloraError
from engine.contract.run_dir import RunDir, Workspace, list_runs
from tui.actions import TABLE
from tui.few_colours import COUNTS, FewColours
from tui.image_mode import MEANINGS, ImageMode, next_image_mode
from tui.key_order import KeysInOrder
from tui.keymap import for_textual, read_keymap, show_changed_keys
from tui.main_screens import make_screen
from tui.navigation import Deleted, Opened, ScreenName
from tui.no_colours import NoColours
from tui.screens.help import HelpScreen
from tui.screens.main_screen import MainScreen, bindings
from tui.screens.theme_choice import ThemeChoice
from tui.settings import Settings
from tui.themes import DEFAULT, HIGH_CONTRAST, MUTED, OWN
from tui.widgets.navigation_bar import SCREENS, NavigationBar

ALL_ERASED = "\x1b[2J"
OF_A_RUN: frozenset[ScreenName] = frozenset({"monitor", "gallery", "generate", "environment"})


class ConsoleApp(KeysInOrder):
    """Six screens, one of them shown; the run in hand is `run_dir`."""

    TITLE = "shoelora-tui"
    # Without colours a reversed button is the one with the focus.
    CSS = "Button:nocolor { background: $surface !important; color: $foreground !important; }"
    BINDINGS: ClassVar[list[BindingType]] = bindings("everywhere")
    image_mode: reactive[ImageMode] = reactive[ImageMode]("block", init=False)

    def __init__(
        self,
        workspace: Workspace,
        run: RunDir | None,
        readonly: bool,
        settings: Settings,
        image_mode: ImageMode,
        image_reason: str = "",
    ) -> None:
        super().__init__()
        for theme in OWN:
            self.register_theme(theme)
        self.workspace = workspace
        self.run_dir = run
        self.readonly = readonly
        self.settings = settings
        self.set_reactive(ConsoleApp.image_mode, image_mode)
        self.image_reason = image_reason  # why pictures are shown this way
        self._first_image_mode = image_mode
        self._screens: dict[ScreenName, MainScreen] = {}
        if self.no_color:
            self.theme = HIGH_CONTRAST.name
        elif "TEXTUAL_THEME" not in os.environ:  # Textual's own way to choose one
            self.theme = settings.theme if settings.theme in self.available_themes else DEFAULT
        self._rounding: list[LineFilter] = []
        self._keymap_problems: list[str] = []
        self._apply_keymap()

    def _apply_keymap(self) -> None:
        keymap, self._keymap_problems = read_keymap(self.settings.folder) if self.settings.folder else ({}, [])
        show_changed_keys(keymap)
        self.set_keymap(for_textual(keymap))

    def get_default_screen(self) -> Screen[Any]:
        """What lies under all screens; it has nothing to show, and is not to be painted."""
        blank = super().get_default_screen()
        blank.visible = False
        return blank

    def on_mount(self) -> None:
        """Show the run, or all runs if none is given; tell what of the user's files could not be used."""
        self.push_screen(self.main_screen("monitor" if self.run_dir else "runs"))
        if self.settings.problem:
            self.notify(self.settings.problem, title="Settings", severity="warning", timeout=20, markup=False)
        if self._keymap_problems:
            words = "\n".join(self._keymap_problems)
            self.notify(words, title="Not applied of your key map", severity="warning", timeout=20, markup=False)

    # ---- colours -----------------------------------------------------------------------------------------------------

    def get_css_variables(self) -> dict[str, str]:
        """Muted text as a share of the foreground: Content ignores the share in Textual's "auto 60%" (8.2)."""
        variables = super().get_css_variables()
        if variables["text-muted"].startswith("auto"):
            variables["text-muted"] = Color.parse(variables["foreground"]).with_alpha(MUTED).hex
        return variables

    def round_colours(self, system: str | None) -> None:
        """Show 24-bit colours by the nearest of a terminal's 256 or 16; `system` is what Rich calls it."""
        self._rounding = [FewColours(COUNTS[system])] if system in COUNTS else []

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What every line goes through before it is written."""
        return [NoColours()] if self.no_color else [*super().get_line_filters(), *self._rounding]

    # ---- screens -----------------------------------------------------------------------------------------------------

    def main_screen(self, name: ScreenName) -> MainScreen:
        """One of the six, made when it is first asked for, and kept with all that was typed and chosen on it."""
        if name not in self._screens:
            self._screens[name] = self._make(name)
            self.install_screen(self._screens[name], name)
        return self._screens[name]

    def _make(self, name: ScreenName) -> MainScreen:
        return make_screen(name, self.workspace, self.run_dir, self.readonly)

    async def on_opened(self, message: Opened) -> None:
        """Take a run in hand, if one is given, and show a screen."""
        if message.run and message.run != self.run_dir:
            await self._take(message.run)
        await self._show(message.screen)
        if message.then and isinstance(self.screen, MainScreen) and message.screen == self.screen.SCREEN:
            self.screen.act_when_ready(message.then)

    async def on_deleted(self, message: Deleted) -> None:
        """Let go of a run that is being removed."""
        if message.run == self.run_dir:
            await self._take(None)

    async def _show(self, name: ScreenName) -> None:
        if name == "monitor" and self.run_dir is None:
            runs = list_runs(self.workspace)
            if not runs:
                self.notify("There is no run yet. 2 sets one up.", title="Nothing to watch")
                return
            self.run_dir = runs[-1]
        try:
            screen = self.main_screen(name)
        except ShoeloraError as error:
            self.notify(f"{error.why}\n{error.remedy}".strip(), title=error.what, severity="error", markup=False)
            return
        if screen is not self.screen:
            await self.switch_screen(screen)
        screen.query_one(NavigationBar).show(self.run_dir.name if self.run_dir else "")

    async def _take(self, run: RunDir | None) -> None:
        """Change the run in hand. Screens of a run are made anew; one that is shown goes when it is switched away."""
        self.run_dir = run
        for name in OF_A_RUN & self._screens.keys():
            screen = self._screens.pop(name)
            if screen in self.screen_stack:
                self._installed_screens.pop(name)
            else:
                self.uninstall_screen(screen)
                await screen.remove()

    def on_exit_app(self) -> None:
        """Leave nothing in the terminal, while it still listens: Textual unmounts only afterwards."""
        from tui.widgets.image_view import ImageView

        for screen in {*self._screens.values(), *self.screen_stack}:
            for view in screen.query(ImageView):
                view.take_down()  # or the terminal keeps it
        if self._driver:
            self._driver.write(ALL_ERASED)  # or tmux 3.3 mixes parts of it with the lines before, if it has grown

    # ---- what the user does ------------------------------------------------------------------------------------------

    def action_act(self, identity: str) -> None:
        """Do what an action of every screen says."""
        match identity:
            case "detach":
                self.exit()
            case "help":
                if isinstance(self.screen, MainScreen):
                    self.push_screen(HelpScreen(self.screen.SCREEN))
            case "theme" if self.no_color:
                self.notify("Start the console without it to choose colours.", title="NO_COLOR is set")
            case "theme":
                self.push_screen(ThemeChoice(), self._keep_theme)
            case "images":
                self._switch_images()
            case name:
                run = self.screen.run_in_hand() if isinstance(self.screen, MainScreen) else None
                self.post_message(Opened(next(screen for screen in SCREENS if screen == name), run))

    def _keep_theme(self, name: str | None) -> None:
        if name:
            self.settings.theme = name

    def _switch_images(self) -> None:
        """The next way of showing pictures; it holds until the console is left, and for the next starts."""
        self.image_mode = next_image_mode(self.image_mode, self._first_image_mode)
        self.image_reason = "chosen with --images or by its key"
        self.settings.image_mode = self.image_mode
        self.notify(MEANINGS[self.image_mode], title=f"Pictures: {self.image_mode}", timeout=3)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The command palette: what this screen offers, what every screen does, then what the others could do."""
        here = screen.SCREEN if isinstance(screen, MainScreen) else None
        if isinstance(screen, MainScreen):
            for entry in screen.actions():
                yield SystemCommand(entry.label, entry.help, partial(screen.action_act, entry.id))
        for entry in TABLE["everywhere"]:
            yield SystemCommand(entry.label, entry.help, partial(self.action_act, entry.id))
        names = {entry.id: entry.label for entry in TABLE["everywhere"]}
        for name in SCREENS:
            for entry in TABLE[name] if name != here else ():
                yield SystemCommand(
                    f"{names[name]}: {entry.label}", entry.help, partial(self._go_and_act, name, entry.id)
                )

    async def _go_and_act(self, name: ScreenName, identity: str) -> None:
        """Show another screen, with the run that is looked at here, and do there what an action says."""
        run = self.screen.run_in_hand() if isinstance(self.screen, MainScreen) else None
        await self.on_opened(Opened(name, run, identity))

    def action_help_quit(self) -> None:
        """Ctrl-C, which stops a run elsewhere, stops nothing here."""
        self.notify(
            "q leaves the console, and runs go on. s stops the run, on the Monitor.", title="Ctrl-C does nothing here"
        )
