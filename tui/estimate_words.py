"""An estimate in words: in full beside the form, in three lines below it."""

from textual.content import Content

from engine.control import Estimate
from tui.wording import duration, size

BAR = 20  # columns of the bar of memory
LABEL = 12  # columns of a heading
FINE, TIGHT, TOO_MUCH = ("✓", "$text-success"), ("!", "$text-warning"), ("✗", "$text-error")


def in_full(estimate: Estimate) -> Content:
    """Every part, one below the other."""
    lines = [
        *_batch_lines(estimate),
        Content(""),
        *_memory_lines(estimate),
        Content(""),
        *_time_lines(estimate),
        Content(""),
        *_disk_lines(estimate),
        Content(""),
        _line("Adapter", f"{size(estimate.adapter_bytes)}, {estimate.adapter_parameters:,} parameters"),
    ]
    return Content("\n").join(lines)


def in_short(estimate: Estimate) -> Content:
    """What matters most, in three lines for eighty columns."""
    memory, time = estimate.memory, estimate.duration
    pictures = f"{estimate.samples.training:,} pictures" if estimate.samples else "no pictures yet"
    chosen = estimate.chosen
    ways = f"{chosen.train_batch_size} x {chosen.gradient_accumulation_steps}, {chosen.gradient_checkpointing}"
    how = f" ({ways})" if chosen.why else ""
    first = f"{estimate.effective_batch} samples per step{how}, epochs {_epochs(estimate)}, {pictures}"
    second = Content.assemble(
        f"Memory {size(memory.parts.total)} of {size(memory.limit)} ", _memory_verdict(estimate),
        f"  Disk {size(estimate.disk.total)} of {size(estimate.disk_free)} ", _disk_verdict(estimate),
        f"  Adapter {size(estimate.adapter_bytes)}",
    )  # fmt: skip
    third = Content.assemble(f"About {duration(time.training + time.validation)}", (f", {time.source}", "$text-muted"))
    return Content("\n").join([Content(first), second, third])


def _batch_lines(estimate: Estimate) -> list[Content]:
    lines = [_line("Batch", f"{estimate.effective_batch} samples per step"), _line("Epochs", _epochs(estimate))]
    if samples := estimate.samples:
        left_out = f", {samples.left_out} left out" if samples.left_out else ""
        lines.append(_part("pictures", f"{samples.training:,} to train on, {samples.held_out} held out{left_out}"))
    return lines


def _memory_lines(estimate: Estimate) -> list[Content]:
    memory = estimate.memory
    parts = memory.parts
    filled = min(BAR, round(BAR * parts.total / memory.limit))
    sign, colour = _memory_verdict(estimate)
    return [
        _line("Memory", f"{size(parts.total)} of {size(memory.limit)} ({memory.limit_of})"),
        Content.assemble(
            " " * LABEL, ("█" * filled, colour), ("░" * (BAR - filled), "$text-muted"), (f" {sign}", colour)
        ),
        *([Content.styled(f"  limit by {memory.limit_by}", "$text-muted")] if memory.limit_by else []),
        _part("weights", size(parts.weights)),
        _part("activations", size(parts.activations)),
        _part("optimizer", f"{size(parts.optimizer)}, with the adapter"),
        _part("process", size(parts.process)),
        _part("free now", size(memory.available)),
        *_choice_lines(estimate),
    ]


def _choice_lines(estimate: Estimate) -> list[Content]:
    """What auto would become, and why."""
    chosen = estimate.chosen
    if not chosen.why:
        return []
    return [
        _part("micro-batch", f"{chosen.train_batch_size} x {chosen.gradient_accumulation_steps}"),
        _part("recomputed", str(chosen.gradient_checkpointing)),
        Content.styled(f"  {chosen.why}", "$text-muted"),
    ]


def _time_lines(estimate: Estimate) -> list[Content]:
    time = estimate.duration
    return [
        _line("Time", f"about {duration(time.training + time.validation)}"),
        _part("training", f"{duration(time.training)}, {seconds(time.step)} per step"),
        _part("validation", duration(time.validation)),
        Content.styled(f"  {time.source}", "$text-muted"),
    ]


def _disk_lines(estimate: Estimate) -> list[Content]:
    disk = estimate.disk
    parts = {
        "cache": disk.cache, "checkpoints": disk.checkpoints, "images": disk.images, "adapter": disk.adapter,
        "pipeline": disk.pipeline,
    }  # fmt: skip
    head = _line("Disk", f"{size(disk.total)} of {size(estimate.disk_free)} free ")
    return [
        Content.assemble(head, _disk_verdict(estimate)),
        *(_part(name, size(amount)) for name, amount in parts.items() if amount),
    ]


def _line(label: str, text: str) -> Content:
    return Content.assemble((label.ljust(LABEL), "bold"), text)


def _part(label: str, text: str) -> Content:
    return Content.assemble((f"  {label}".ljust(LABEL + 2), "$text-muted"), text)


def _epochs(estimate: Estimate) -> str:
    return "unknown" if estimate.epochs is None else f"{estimate.epochs:,.1f}"


def seconds(length: float) -> str:
    """A short length of time, with as many digits as count."""
    return f"{length:.3g} s" if length < 100 else duration(length)


def _memory_verdict(estimate: Estimate) -> tuple[str, str]:
    need, memory = estimate.memory.parts.total, estimate.memory
    return TOO_MUCH if need > memory.limit else TIGHT if need > memory.available else FINE


def _disk_verdict(estimate: Estimate) -> tuple[str, str]:
    need, free = estimate.disk.total, estimate.disk_free
    return TOO_MUCH if need > free else TIGHT if 2 * need > free else FINE
