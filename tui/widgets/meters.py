"""The lines on top: state, progress, numbers and what is going on; all text, so that they cost next to nothing."""

from dataclasses import dataclass

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from engine.contract.run_state import RunState
from tui import pace as paces
from tui.actions.monitor import action, label_of
from tui.run_view import RunView
from tui.wording import duration, loss, pace, state_words

STATE_COLOURS: dict[RunState, str] = {
    RunState.PREPARING: "$primary",
    RunState.RUNNING: "$success",
    RunState.PAUSED: "$warning",
    RunState.STOPPING: "$warning",
    RunState.FINISHED: "$success",
    RunState.STOPPED: "$secondary",
    RunState.FAILED: "$error",
    RunState.INTERRUPTED: "$error",
}
QUIET = "$foreground 60%"
SHORTEST_BAR = 6  # columns
SHORT_PARTS = {"forward": "fwd", "backward": "bwd", "optimizer": "opt", "validation": "val"}
WIDE = 110  # columns from which there is room for more


@dataclass(frozen=True)
class Meter:
    """A number with its name."""

    name: str
    value: str


class Meters(Widget):
    """Five lines about the run, or four where they are short; painted anew only when one of them reads differently."""

    DEFAULT_CSS = """
    Meters { height: 5; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    remark = reactive("")  # what the screen leaves out at this size

    def __init__(self, view: RunView, readonly: bool, id: str | None = None) -> None:
        super().__init__(id=id)
        self._view = view
        self._readonly = readonly
        self._asked: list[str] = []
        self._shown = ""

    def show(self, asked: list[str]) -> None:
        """Show the view as it is now, and what was asked for and is not yet in it."""
        self._asked = asked
        if (markup := self._content().markup) != self._shown:
            self._shown = markup
            self.refresh()

    def render(self) -> Content:
        """All lines."""
        return self._content()

    def _content(self) -> Content:
        width = self.content_size.width
        lines = [
            state_line(self._view, self._readonly, self.remark, width),
            progress_line(self._view, width),
            numbers_line(self._view, width),
            time_line(self._view, width),
            activity_line(self._view, self._asked),
        ]
        if self.content_size.height < len(lines):
            del lines[3]
        return Content("\n").join(line.truncate(max(width, 1), ellipsis=True) for line in lines)


def state_line(view: RunView, readonly: bool, remark: str, width: int) -> Content:
    """State as sign, word and colour, the run's name, and at the right a remark or what it runs on."""
    stalled = view.stalled_seconds
    colour = STATE_COLOURS[view.state] if stalled is None else "$warning"
    state = Content.assemble((f" {state_words(view.state, stalled)} ", f"bold $background on {colour}"), " ")
    name = Content.assemble((view.name, "bold"), ("  read-only", "bold $warning") if readonly else "")
    if remark:  # a long name gives way, so that what is missing at this size is always said
        name = name.truncate(max(width - state.cell_length - len(remark) - 2, 1), ellipsis=True)
    right = remark or _place(view, width)
    space = width - state.cell_length - name.cell_length - len(right)
    line = Content.assemble(state, name)
    return line if space < 2 else Content.assemble(line, " " * space, (right, QUIET))


def _place(view: RunView, width: int) -> str:
    """What the run computes on, and, where there is room, with how much."""
    if not view.prepared:
        return ""
    place = f"{view.prepared.device} {view.prepared.dtype}"
    if width < WIDE:
        return place
    return f"{place}, {view.prepared.train_samples} samples, {view.prepared.trainable_parameters:,} weights trained"


def progress_line(view: RunView, width: int) -> Content:
    """Step of steps with a bar, then epoch, pace and time left; the epoch is the first to go where room is short."""
    share = min(view.step / view.max_train_steps, 1.0)
    left = f"step {view.step}/{view.max_train_steps} "
    parts = [f" {share:4.0%}"]
    if view.steps:
        parts += [f"epoch {view.steps[-1].epoch}", pace(view.steps_per_minute)]
        if view.eta_seconds is not None:
            parts.append(f"{duration(view.eta_seconds)} left")
    while len(parts) > 1 and width - len(left) - len("  ".join(parts)) < SHORTEST_BAR:
        del parts[1]
    right = "  ".join(parts)
    return Content.assemble((left, "bold"), *bar(share, max(width - len(left) - len(right), SHORTEST_BAR)), right)


def bar(share: float, width: int) -> tuple[tuple[str, str], tuple[str, str]]:
    """A progress bar; its two parts differ in weight as well as in colour."""
    full = min(int(share * width), width)
    return ("━" * full, "$primary"), ("╌" * (width - full), "$foreground 30%")


def numbers_line(view: RunView, width: int) -> Content:
    """Losses, learning rate and memory: all of them by their full names, or as much as there is room for."""
    details = [meters(view, True, False), meters(view, False, False)]
    shortest = meters(view, False, True)
    details += [shortest[:count] for count in range(len(shortest), 0, -1)]
    lines = [_numbers(numbers, "   " if numbers in details[:2] else "  ") for numbers in details]
    return next((line for line in lines if line.cell_length <= width), lines[-1])


def _numbers(numbers: list[Meter], gap: str) -> Content:
    named = [(f"{meter.name} " if meter.name else "", meter.value) for meter in numbers]
    return Content(gap).join(Content.assemble((name, QUIET), (value, "bold")) for name, value in named)


def meters(view: RunView, extra: bool, short: bool) -> list[Meter]:
    """The numbers in the order of their weight; `extra` adds the less important ones, `short` cuts their names."""
    step = view.steps[-1] if view.steps else None
    validation = view.validation_losses[-1].loss if view.validation_losses else None
    numbers = [
        Meter("loss" if short else "train loss", loss(step.train_loss if step else None)),
        Meter("val" if short else "validation", loss(validation)),
        Meter("lr", f"{step.learning_rate:.1e}" if step else loss(None)),
    ]
    if extra and step:
        numbers.append(Meter("gradient", f"{step.gradient_norm:.3g}"))
    return numbers + memory_meters(view, extra, short)


def memory_meters(view: RunView, extra: bool, short: bool) -> list[Meter]:
    """Memory of the device, with the most that it should hold, where it is known, and of the worker process."""
    memory = view.memory
    if memory is None:
        return []
    numbers = [Meter("mem" if short else "memory", gib(memory.process))]
    if memory.device_limit:
        used = f"{memory.device / 2**30:.1f}"
        of_limit = f"{used}/{gib(memory.device_limit)}" if short else f"{used} of {gib(memory.device_limit)}"
        numbers.insert(0, Meter("gpu" if short else "device memory", of_limit))
    if extra or not memory.device_limit:
        numbers.append(Meter("free", gib(memory.system_available)))
    return numbers


def time_line(view: RunView, width: int) -> Content:
    """How the pace compares with the run's mean and with before, and where the time goes, as far as there is room."""
    mean, change = paces.mean(view.steps), paces.trend(view.steps)
    shares = view.time_shares
    for is_short in (False, True):
        numbers = [Meter("mean", pace(mean))] if mean is not None else []
        if change is not None:
            words = f"{'↑' if change > 0 else '↓'} {abs(change):.0%}" if change else "→ steady"
            numbers.append(Meter("" if is_short else "trend", words))
        numbers += [
            Meter(SHORT_PARTS.get(share.name, share.name) if is_short else share.name, f"{share.share:.0%}")
            for share in shares
        ]
        line = _numbers(numbers, "  " if is_short else "   ")
        if line.cell_length <= width:
            break
    return line


def gib(size: int) -> str:
    """Bytes in GiB."""
    return f"{size / 2**30:.1f} GiB"


def activity_line(view: RunView, asked: list[str]) -> Content:
    """What was asked for and not yet obeyed, what goes on between steps, or how the last command ended."""
    waiting = [label_of(command) for command in [*asked, *view.pending.values()]]
    parts = [Content.assemble((f"{label} asked for…", "bold $text-warning")) for label in waiting]
    if view.stalled_seconds is not None and not waiting:
        restart = action("restart")
        parts.append(
            Content.styled(f"Nothing is heard of the worker. {restart.signs[0]}: {restart.help}", "bold $text-warning")
        )
    if view.phase:
        share = min(view.phase.done / max(view.phase.total, 1), 1.0)
        left = f", {view.phase_pace.left}" if view.phase_pace.left else ""
        parts.append(
            Content.assemble(f"{view.phase.phase} ", *bar(share, 12), f" {view.phase.done}/{view.phase.total}{left}")
        )
    if parts:
        return Content("   ").join(parts)
    return Content.styled(view.last_answer or view.state_reason or view.state.meaning, QUIET)
