"""How a run reads in the list of runs: state, trend, pace and times, each short enough for its column."""

import time

from textual.content import Content

from tui.run_line import RunLine
from tui.wording import NOTHING, STATE_SIGNS, duration, loss

STALLED_SIGN = "▷"
UNCHANGED = 5e-5  # below that, four decimals show no difference


def state_of(line: RunLine) -> str:
    """Sign and word; a live worker of which nothing is heard is stalled, whatever was recorded last."""
    if line.state is None:
        return "? damaged"
    if line.stalled_since is not None and line.is_live:
        return f"{STALLED_SIGN} stalled"
    return f"{STATE_SIGNS[line.state]} {line.state.value}"


def tone_of(line: RunLine) -> str:
    """The name of the theme's colour for a state."""
    if line.stalled_since is not None and line.is_live:
        return "warning"
    tones = {"preparing": "primary", "running": "success", "paused": "warning", "stopping": "warning",
             "finished": "success", "stopped": "secondary"}  # fmt: skip
    return tones.get(line.state.value, "error") if line.state else "error"


def steps_of(line: RunLine) -> str:
    """Step of steps."""
    return f"{line.step}/{line.max_train_steps}" if line.max_train_steps else NOTHING


def trend_of(line: RunLine) -> tuple[str, str]:
    """An arrow with the difference of the validation loss to the one before, and the theme's colour for it."""
    change = line.change
    if change is None:
        return "", ""
    if abs(change) < UNCHANGED:
        return "→", ""
    return (f"↓{-change:.4f}", "success") if change < 0 else (f"↑{change:.4f}", "warning")


def validation_of(line: RunLine) -> str:
    """The newest validation loss."""
    return loss(line.validation[-1] if line.validation else None)


def pace_of(line: RunLine) -> str:
    """Steps per minute while it trains; of a run that has ended, as it was."""
    pace = line.steps_per_minute
    if pace is None:
        return NOTHING
    return f"{pace:.0f}" if pace >= 100 else f"{pace:.3g}"


def left_of(line: RunLine) -> str:
    """Time left, in as few letters as can be."""
    if line.eta_seconds is None:
        return NOTHING
    words = duration(line.eta_seconds).split()
    units = {"min": "m"}
    return "".join(units.get(word, word) for word in (words[:3] if len(words) > 2 else words))


def started_of(line: RunLine) -> str:
    """The hour of today, the day of this year, else the year."""
    then, now = time.localtime(line.started), today()
    if then[:3] == now[:3]:
        return time.strftime("%H:%M", then)
    return time.strftime("%m-%d" if then.tm_year == now.tm_year else "%Y", then)


def today() -> time.struct_time:
    """The present day, local time."""
    return time.localtime()


def started_in_full(line: RunLine) -> str:
    """Day and minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(line.started))


def summary_of(line: RunLine) -> Content:
    """What has no column where the window is narrow."""
    parts = [f"{pace_of(line)} steps/min"]
    if line.eta_seconds is not None:
        parts.append(f"{duration(line.eta_seconds)} left")
    parts += [line.remark, f"since {started_in_full(line)}"]
    return Content.assemble((state_of(line), f"$text-{tone_of(line)}"), "  ", "  ".join(parts))
