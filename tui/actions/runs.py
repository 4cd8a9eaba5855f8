"""What can be done on the Runs screen, and for which run."""

from engine.contract.protocol import Stop
from engine.contract.run_state import RunState, is_allowed
from tui.actions.action import Action
from tui.run_line import RunLine

ACTIONS: tuple[Action, ...] = (
    Action("open", "enter", "Open", "Watch the run on the Monitor."),
    Action("resume", "r", "Resume", "Go on after a pause, or from the newest good checkpoint of a run that has ended."),
    Action("stop", "s", "Stop", "End the run; asks first whether to save."),
    Action("filter", "slash", "Filter", "Show only runs with these letters in name or state; Esc shows all again."),
    Action("mark", "space", "Mark", "Mark the run, to compare it with another."),
    Action("compare", "c", "Compare", "Show the curves of two marked runs, and the settings in which they differ."),
    Action("folder", "o", "Folder", "Open the run's folder on the desktop."),
    Action("copy", "y", "Copy path", "Put the path of the run's folder on the clipboard."),
    Action("delete", "d,delete", "Delete", "Remove the run and its logs from the disk; asks first. Never a live one."),
)
NOT_NOW = {
    "resume": "Only what is paused or has ended early can go on",
    "stop": "Only a run that is at work can be stopped",
    "delete": "A live run is never deleted: stop it first",
}


def is_possible(identity: str, line: RunLine | None) -> bool:
    """Whether an action makes sense for the run under the cursor."""
    if line is None or line.state is None:
        return identity == "filter" or (line is not None and identity in {"folder", "copy", "delete"})
    return {
        "resume": line.state is RunState.PAUSED or line.state.is_resumable,
        "stop": is_allowed(line.state, Stop),
        "delete": not line.is_live,
    }.get(identity, True)
