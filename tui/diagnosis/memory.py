"""Out of memory: what the run had to do about it, or how near it is."""

import re

from engine.contract import protocol as p
from tui.diagnosis.finding import Diagnosis, Facts, Finding, gib
from tui.run_view import RunView

QUESTION = "Out of memory"
RAN_OUT = re.compile(r"ran out of memory|memory ran out|out of memory|can't allocate memory", re.IGNORECASE)
NEARLY = 0.95  # share of what the device recommends as most
LITTLE = 0.05  # share of the machine's memory
GIVE_ROOM = "Close other programs; else start a run with train_batch_size 1, gradient_checkpointing full or a smaller "
GIVE_ROOM += "resolution."


def out_of_memory(facts: Facts) -> Finding:
    """Failures, smaller micro-batches and ended workers; then what is nearly full now."""
    view, found = facts.view, []
    if view:
        found = [*_failures(view), *_smaller(view), *_ended(view), *_nearly_full(view)]
    looked = facts.machine is not None or (view is not None and view.memory is not None)
    return Finding(QUESTION, (*found, *_machine(facts), *facts.check("memory")), measured(facts), looked)


def measured(facts: Facts) -> str:
    """The newest figures: of the device, of the worker, of the machine."""
    memory, parts = facts.view.memory if facts.view else None, []
    if memory and memory.device_limit > 0:
        parts.append(f"device {gib(memory.device)} of {gib(memory.device_limit)}")
    if memory:
        parts.append(f"worker {gib(memory.process)}")
    if facts.machine:
        parts.append(f"machine {gib(facts.machine.available)} left of {gib(facts.machine.total)}")
    elif memory:
        parts.append(f"machine {gib(memory.system_available)} left")
    return ", ".join(parts) or "memory was not measured yet"


def _failures(view: RunView) -> list[Diagnosis]:
    told: list[p.RunFailed | p.WarningRaised] = [view.failure] if view.failure else []
    told += reversed(view.warnings)
    return [Diagnosis(one.what, one.why, one.remedy) for one in told if RAN_OUT.search(f"{one.what} {one.why}")]


def _smaller(view: RunView) -> list[Diagnosis]:
    changes = [(step, event) for step, event in view.setbacks if isinstance(event, p.MicroBatchChanged)]
    if not changes:
        return []
    step, last = changes[-1]
    times = "once" if len(changes) == 1 else f"{len(changes)} times"
    settings = (
        f"train_batch_size {last.train_batch_size}, gradient_accumulation_steps {last.gradient_accumulation_steps}, "
        f"gradient_checkpointing {last.gradient_checkpointing}"
    )
    return [
        Diagnosis(
            f"Memory ran out {times}, and the run went on in smaller parts",
            f"The last time after step {step}: {last.why}; since then {settings}.",
            f"The result stays the same, only slower. Begin the next run with {settings}, or close other programs.",
        )
    ]


def _ended(view: RunView) -> list[Diagnosis]:
    deaths = [(step, event.cause) for step, event in view.setbacks if isinstance(event, p.WorkerDied)]
    return [
        Diagnosis("The system ended the worker for lack of memory", f"After step {step}: {cause}.", GIVE_ROOM)
        for step, cause in reversed(deaths)
        if RAN_OUT.search(cause)
    ]


def _nearly_full(view: RunView) -> list[Diagnosis]:
    memory = view.memory
    if memory is None or view.state.is_final or not 0 < memory.device_limit * NEARLY < memory.device:
        return []
    tensors = f", {gib(memory.device_tensors)} of them in tensors" if memory.device_tensors else ""
    evidence = f"{gib(memory.device)} of {gib(memory.device_limit)} are held{tensors}."
    return [Diagnosis("The device's memory is nearly full", evidence, GIVE_ROOM)]


def _machine(facts: Facts) -> list[Diagnosis]:
    machine = facts.machine
    if machine is None or (facts.view and facts.view.state.is_final):
        return []
    scarce = machine.available < LITTLE * machine.total
    pressed = machine.pressure is not None and machine.pressure.level == "critical"
    if not scarce and not pressed:
        return []
    pressure = f"; pressure {machine.pressure.level}, {machine.pressure.text}" if machine.pressure else ""
    evidence = f"{gib(machine.available)} of {gib(machine.total)} are left{pressure}."
    return [Diagnosis("The machine is short of memory", evidence, GIVE_ROOM)]
