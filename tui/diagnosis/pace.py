"""Training too slow: the share of the data, a device that is not used, swap, heat, and a pace that fell."""

import math
from statistics import median

from engine.contract import protocol as p
from tui.diagnosis.finding import GIB, Diagnosis, Facts, Finding, gib, without_run
from tui.machine_heat import Heat
from tui.run_view import RunView

QUESTION = "Training too slow"
LARGE_DATA = 0.2  # share of a step; the latents are cached, so that data should take next to nothing
LARGE_VALIDATION = 0.3  # share of the whole
SLOW_STEP = 5.0  # seconds; below that a CPU does well enough, as for the demo's model
MUCH_SWAP = GIB  # bytes
WINDOW = 100  # steps
LOOKS = 200  # at most so many windows are compared
SLOWER = 0.75  # of the best pace
ON_CPU = "fall back to run on the CPU"  # as torch words it, and the run's warning hands it on


def too_slow(facts: Facts) -> Finding:
    """Each cause with its figures; where the pace has fallen without any, what is left to be thought of."""
    view = facts.view
    if view is None:
        return without_run(QUESTION)
    causes = [*_shares(facts), *_device(view), *_swap(facts), *_heat(facts)]
    if not causes:
        causes = _fallen_pace(facts, view)
    return Finding(QUESTION, tuple(causes), measured(facts))


def measured(facts: Facts) -> str:
    """The pace, where the time goes, and the heat of the machine while the run is live."""
    usual = _usual(facts.view, -WINDOW) if facts.view else None
    parts = ["no step is done yet"] if usual is None else [f"{usual:.3g} s per step"]
    total = sum(facts.shares.values())
    if 0 < total < math.inf:
        parts += [f"{name} {value / total:.0%}" for name, value in facts.shares.items()]
    if _is_live(facts) and facts.machine:  # it was read
        parts.append(f"heat: {facts.heat.text}" if facts.heat else "heat is not told by this system")
    return ", ".join(parts)


def _is_live(facts: Facts) -> bool:
    """Whether what is measured of the machine now says anything about the run."""
    return facts.view is not None and not facts.view.state.is_final


def _usual(view: RunView, start: int) -> float | None:
    """The median of a window of steps, so that a single pause counts for nothing; below 0, `start` is from the end."""
    start = max(len(view.steps) + start, 0) if start < 0 else start
    seconds = [value for value in view.steps.seconds.between(start, start + WINDOW) if 0 < value < math.inf]
    return median(seconds) if seconds else None


def _shares(facts: Facts) -> list[Diagnosis]:
    total = sum(facts.shares.values())
    if not 0 < total < math.inf:
        return []
    told = measured(facts)
    found = []
    if (share := facts.shares.get("data", 0) / total) > LARGE_DATA:
        remedy = "Put the workspace on an internal disk, and close programs that read or compute much."
        found.append(Diagnosis(f"The data take {share:.0%} of the time", f"Measured: {told}.", remedy))
    if (share := facts.shares.get("validation", 0) / total) > LARGE_VALIDATION:
        remedy = "Raise validation_steps, or lower num_validation_images or validation_inference_steps."
        found.append(Diagnosis(f"Validations take {share:.0%} of the time", f"Measured: {told}.", remedy))
    return found


def _device(view: RunView) -> list[Diagnosis]:
    found = []
    for warning in view.warnings[::-1]:
        if ON_CPU in warning.why:
            found.append(Diagnosis(warning.what, warning.why, warning.remedy))
            break
    ready, usual = view.prepared, _usual(view, -WINDOW)
    if ready and ready.device == "cpu" and usual is not None and usual > SLOW_STEP:
        evidence = f"{usual:.1f} s per step on {ready.device} ({ready.device_reason})."
        remedy = "Set device auto, and use an Apple Silicon Mac or an NVIDIA GPU; `check` says why they are not found."
        found.append(Diagnosis("Training runs on the CPU", evidence, remedy))
    return found


def _swap(facts: Facts) -> list[Diagnosis]:
    view, machine = facts.view, facts.machine
    first, last = (view.first_memory, view.memory) if view else (None, None)
    remedy = "Close other programs; else start a run with a smaller train_batch_size or gradient_checkpointing full."
    if first and last and (grown := last.swap_used - first.swap_used) >= MUCH_SWAP:
        evidence = f"Swap has grown by {gib(grown)} since the run was started, to {gib(last.swap_used)}."
        return [Diagnosis("The machine swaps", evidence, remedy)]
    pressure = machine.pressure if machine and _is_live(facts) else None
    if machine and pressure and pressure.level != "normal" and machine.swap_used > MUCH_SWAP:
        evidence = f"{gib(machine.swap_used)} of swap are in use, and the pressure is {pressure.level}."
        return [Diagnosis("The machine swaps", evidence, remedy)]
    return []


def _heat(facts: Facts) -> list[Diagnosis]:
    if not (_is_live(facts) and facts.heat and facts.heat.level == "throttled"):
        return []
    remedy = (
        "Let air to it, take it off soft ground, away from the sun and other warmth; the pace comes back by itself."
    )
    return [Diagnosis("The machine is slowed down by heat", f"The system says: {facts.heat.text}.", remedy)]


def _fallen_pace(facts: Facts, view: RunView) -> list[Diagnosis]:
    """The last window against the best one."""
    count, last = len(view.steps), _usual(view, -WINDOW)
    if count < 2 * WINDOW or last is None:
        return []
    starts = range(0, count - WINDOW + 1, max(WINDOW // 4, count // LOOKS))
    windows = [(usual, start) for start in starts if (usual := _usual(view, start)) is not None]
    best, start = min(windows, default=(last, 0))
    if best >= SLOWER * last:
        return []
    evidence = (
        f"The last {WINDOW} steps took {last:.3g} s each, the best {WINDOW} (from number {start + 1}) {best:.3g} s: "
        f"the pace fell by {1 - best / last:.0%}."
    )
    changes = [step for step, event in view.setbacks if isinstance(event, p.MicroBatchChanged) and step >= start]
    if changes:
        remedy = "The next run is faster with less memory used by others, or with a smaller resolution or lora_rank."
        return [Diagnosis(f"Slower since memory ran out at step {changes[-1]}", evidence, remedy)]
    return [_unexplained(facts.heat if _is_live(facts) else None, evidence)]


def _unexplained(heat: Heat | None, evidence: str) -> Diagnosis:
    """What may have slowed a machine down; heat where the system does not say that there is none."""
    if heat and heat.level == "normal":
        return Diagnosis(
            "The machine has slowed down: power saving or other programs",
            f"{evidence} Neither swap, data, the device nor heat ({heat.text}) explain it.",
            "Plug it in, turn low power mode off, and close other programs; the pace comes back.",
        )
    warmth = f" The system says: {heat.text}." if heat else ""
    return Diagnosis(
        "The machine has slowed down: heat, power saving or other programs",
        f"{evidence} Neither swap, data nor the device explain it.{warmth}",
        "Plug it in, turn low power mode off, let air to it, and close other programs; the pace comes back.",
    )
