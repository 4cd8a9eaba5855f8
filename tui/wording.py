"""How a state, a length of time and a number read in a line of text; shared by the commands and the console."""

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


def state_words(state: RunState) -> str:
    """A state as sign and word."""
    return f"{STATE_SIGNS[state]} {state.value}"


def duration(seconds: float | None) -> str:
    """Seconds as `42 s`, `3 min 07 s`, `2 h 05 min` or `3 d 04 h`."""
    if seconds is None:
        return NOTHING
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"


def pace(steps_per_minute: float | None) -> str:
    """Steps per minute, with as many digits as count."""
    if steps_per_minute is None:
        return NOTHING
    return f"{steps_per_minute:.0f} steps/min" if steps_per_minute >= 100 else f"{steps_per_minute:.3g} steps/min"


def loss(value: float | None) -> str:
    """A loss with four decimals."""
    return NOTHING if value is None else f"{value:.4f}"
