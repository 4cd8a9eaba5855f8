"""Opens the console, and says at the end how to come back to the run in hand."""

import gc
import os
import sys

from engine.contract.run_dir import RunDir, Workspace
from engine.contract.run_state import RunState
from tui.foreground import made
from tui.hang_up import end_with_terminal
from tui.image_mode import choose_image_mode
from tui.naming import reference
from tui.run_view import view_run
from tui.settings import Settings, settings_folder
from tui.terminal import prepare_colours
from tui.wording import state_words

# How often Python looks for garbage: among what is new as always, through all that was ever made next to never. That
# takes a tenth of a second, in which no key is answered, and finds nothing: Textual leaves little, screens stay.
SEARCHES = (700, 10, 1000)


def open_console(workspace: Workspace, run: RunDir | None, readonly: bool = False, images: str | None = None) -> int:
    """Show the console until the user leaves: on a run, or on all runs of a workspace if none is given.

    `images` is how pictures are to be shown; None stands for what was chosen last. Returns 1 if the run in hand has by
    then failed or was interrupted, else 0. Raises ConfigError if the run's config.json is damaged.
    """
    if run:
        run.config()
    prepare_colours()
    gc.disable()  # what is made from here on until the console runs is there to stay
    end_with_terminal(sys.stdin.fileno())
    from tui.console import ConsoleApp  # Textual, which reads its colours from the environment when it is imported
    from tui.themes import first_theme

    settings = Settings(settings_folder())
    mode, reason = choose_image_mode(images or settings.image_mode)
    app = ConsoleApp(workspace, run, readonly, settings, mode, reason)
    app.round_colours(app.console.color_system)
    if settings.theme is None and "TEXTUAL_THEME" not in os.environ and not app.no_color:
        app.theme = first_theme(app.console.color_system)
    gc.freeze()
    gc.set_threshold(*SEARCHES)
    gc.enable()
    app.run()
    if app.run_dir is None:
        return 0
    state = app.run_dir.state()
    print("\n".join(closing_words(app.run_dir)), flush=True)
    return 1 if state in {RunState.FAILED, RunState.INTERRUPTED} else 0


def closing_words(run: RunDir) -> list[str]:
    """What is left to say on the terminal: how to come back to the run, or what it made."""
    view = view_run(run)
    if not view.state.is_final:
        return [
            f"Run {run.name} goes on by itself: {state_words(view.state)}, step {view.step} of {view.max_train_steps}.",
            f"Come back with: shoelora-tui attach {reference(run)}",
        ]
    lines = made(run, view)
    if view.state.is_resumable and view.state is not RunState.STOPPED:
        lines.append(f"Go on with: shoelora-tui resume {reference(run)}")
    return lines
