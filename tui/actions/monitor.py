"""What can be done on the Monitor screen, and when."""

from engine.contract.protocol import Pause, RestartWorker, Resume, SaveCheckpoint, Stop, Validate
from engine.contract.run_state import RunState, is_allowed
from tui.actions.action import Action

STEERING: tuple[Action, ...] = (
    Action("pause", "p", "Pause", "Hold still at the next boundary; everything stays in memory.", Pause),
    Action("resume", "p", "Resume", "Go on after a pause, or from the newest good checkpoint of an ended run.", Resume),
    Action("checkpoint", "c", "Checkpoint", "Save a checkpoint of the last completed step now.", SaveCheckpoint),
    Action("validate", "v", "Validate", "Measure the validation loss and draw the validation images now.", Validate),
    Action("stop", "s", "Stop", "End the run; asks first whether to save.", Stop),
    Action("restart", "k", "Restart", "End a worker that hangs; go on from the newest checkpoint.", RestartWorker),
)
LOOKING: tuple[Action, ...] = (
    Action("curve", "u", "Next curve", "Plot the next of loss, validation bands, learning rate, gradient, seconds."),
    Action("log-scale", "l", "Log scale", "Change the plot between a plain and a logarithmic scale."),
    Action("zoom-in", "plus,equals_sign", "Zoom in", "Show half as many steps, around the cursor if there is one."),
    Action("zoom-out", "minus", "Zoom out", "Show twice as many steps."),
    Action("zoom-whole", "0", "Whole run", "Show all steps."),
    Action("pan-left", "comma,shift+left", "Earlier", "Move a zoomed plot towards the first step."),
    Action("pan-right", "full_stop,shift+right", "Later", "Move a zoomed plot towards the newest step."),
    Action("follow", "f", "Follow", "Keep a zoomed plot at the newest step, and take the cursor away."),
    Action("inspect-left", "left", "Inspect", "Look at a step; then at the one before. A click looks at any step."),
    Action("inspect-right", "right", "Inspect on", "Look at a step; then at the one after it."),
    Action("pane", "w", "Next pane", "Change between log, checkpoints and warnings."),
    Action("find", "slash", "Find", "Find words in the log and mark them."),
    Action("find-next", "n", "Find next", "Go to the next place that was found."),
    Action("find-previous", "N", "Find previous", "Go to the place before that was found."),
    Action("up", "up", "Line up", "Read further back in the log, or in the list that is shown instead of it."),
    Action("down", "down", "Line down", "Read on."),
    Action("page-up", "pageup", "Page up", "Read a page further back; what comes then does not move the log."),
    Action("page-down", "pagedown", "Page down", "Read a page on."),
    Action("top", "home", "Top", "Go to the oldest line that is kept."),
    Action("end", "end", "End", "Go to the newest line; from there the log follows what comes."),
    Action("dismiss", "x", "Dismiss", "Hide the warning on top; it stays in the log."),
    Action("diagnosis", "d", "Diagnosis", "What may be wrong with this run, with figures and what to do."),
    Action("gallery", "g", "Gallery", "All pictures that this run drew."),
    Action("back", "escape", "Back", "End finding, then looking at a step; then show all runs."),
    Action("folder", "o", "Folder", "Open the run's folder on the desktop."),
    Action("copy", "y", "Copy path", "Put the path of the run's folder on the clipboard."),
)
ACTIONS = STEERING + LOOKING
ONLY_WHERE_ROOMY = frozenset({"diagnosis", "gallery"})
ON_THE_BAR = ONLY_WHERE_ROOMY | {entry.id for entry in STEERING}
ONLY_WHEN_STALLED = frozenset({"restart"})  # on the bar; its key always works, and asks first


def action(identity: str) -> Action:
    """The action with an id."""
    return next(entry for entry in ACTIONS if entry.id == identity)


def is_offered(entry: Action, state: RunState) -> bool:
    """Whether an action is shown at all: pause and resume share one key and one place."""
    holds = state is RunState.PAUSED or state.is_resumable
    return not ((entry.command is Resume and not holds) or (entry.command is Pause and holds))


def is_enabled(entry: Action, state: RunState, readonly: bool) -> bool:
    """Whether an action would be obeyed now, as the contract's table has it; an ended run is resumed by starting it."""
    if entry.command is None:
        return True
    return not readonly and (is_allowed(state, entry.command) or (entry.command is Resume and state.is_resumable))


def label_of(command_name: str) -> str:
    """The button's word for a command's class name, as events carry it."""
    labels = {entry.command.__name__: entry.label for entry in ACTIONS if entry.command}
    return labels.get(command_name, command_name)
