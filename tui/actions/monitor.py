"""What can be done on the Monitor screen, and when."""

from engine.contract.protocol import Pause, RestartWorker, Resume, SaveCheckpoint, Stop, Validate
from engine.contract.run_state import RunState, is_allowed
from tui.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("pause", "p", "Pause", "Hold still at the next boundary; everything stays in memory.", Pause),
    Action("resume", "p", "Resume", "Go on after a pause.", Resume),
    Action("checkpoint", "c", "Checkpoint", "Save a checkpoint of the last completed step now.", SaveCheckpoint),
    Action("validate", "v", "Validate", "Measure the validation loss and draw the validation images now.", Validate),
    Action("stop", "s", "Stop", "End the run; asks first whether to save.", Stop),
    Action("restart", "k", "Restart", "End a worker that hangs; go on from the newest checkpoint.", RestartWorker),
    Action("dismiss", "x", "Dismiss", "Hide the warning on top; it stays in the log."),
)
NOT_ON_THE_BAR = frozenset({"dismiss"})  # its button sits on the warning itself
ONLY_WHEN_STALLED = frozenset({"restart"})  # on the bar; its key always works, and asks first


def action(identity: str) -> Action:
    """The action with an id."""
    return next(entry for entry in ACTIONS if entry.id == identity)


def is_offered(entry: Action, state: RunState) -> bool:
    """Whether an action is shown at all: pause and resume share one key and one place."""
    paused = state is RunState.PAUSED
    return not ((entry.command is Resume and not paused) or (entry.command is Pause and paused))


def is_enabled(entry: Action, state: RunState, readonly: bool) -> bool:
    """Whether an action would be obeyed now, as the contract's table has it."""
    return entry.command is None or (not readonly and is_allowed(state, entry.command))


def label_of(command_name: str) -> str:
    """The button's word for a command's class name, as events carry it."""
    labels = {entry.command.__name__: entry.label for entry in ACTIONS if entry.command}
    return labels.get(command_name, command_name)
