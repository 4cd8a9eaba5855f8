"""How a state, a length of time and a number read in a line of text; shared by the commands and the console."""

from engine.contract import describe
from engine.contract.run_state import RunState

# One sign and one word for each state, so that nothing hangs on colour alone.
STATE_SIGNS: dict[RunState, str] = {
    RunState.PREPARING: "◌",
    RunState.RUNNING: "▶",
    RunState.PAUSED: "‖",
    RunState.STOPPING: "◼",
    RunState.FINISHED: "✓",
    RunState.STOPPED: "■",
    RunState.FAILED: "✗",
    RunState.INTERRUPTED: "!",
}
NOTHING = "–"


def state_words(state: RunState, stalled_seconds: float | None = None) -> str:
    """A state as sign and word, and for how long nothing was heard of a stalled worker."""
    stalled = "" if stalled_seconds is None else f", stalled {duration(stalled_seconds)}"
    return f"{STATE_SIGNS[state]} {state.value}{stalled}"


def duration(seconds: float | None) -> str:
    """A length of time in words, or a dash where none is known."""
    return NOTHING if seconds is None else describe.duration(seconds)


def unreadable(lines: int, of_all: bool = False) -> str:
    """How much of a run's journal is damaged."""
    told = f"{lines} {'line' if lines == 1 else 'lines'}"
    if of_all:
        return f"nothing of the {told} of its journal can be read"
    return f"{told} of its journal cannot be read"


def pace(steps_per_minute: float | None) -> str:
    """Steps per minute, with as many digits as count."""
    if steps_per_minute is None:
        return NOTHING
    return f"{steps_per_minute:.0f} steps/min" if steps_per_minute >= 100 else f"{steps_per_minute:.3g} steps/min"


def loss(value: float | None) -> str:
    """A loss with four decimals."""
    return NOTHING if value is None else f"{value:.4f}"


def size(count: float) -> str:
    """Bytes as KiB, MiB or GiB."""
    return describe.size(count)


UNFORESEEN_REMEDY = "This is a fault of shoelora-tui; `shoelora-tui train` with the same settings shows all of it."


def unforeseen(error: Exception) -> str:
    """An error that nobody has words for, in one line."""
    return f"{type(error).__name__}: {(str(error).splitlines() or ['no more is known'])[0]}"
