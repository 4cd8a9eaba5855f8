"""The single checks of this machine, each with what to do where something is wrong."""

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

import psutil
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from engine.contract.adjustments import apply
from engine.contract.config import TrainingConfig
from engine.contract.config_file import validate
from engine.contract.describe import size
from engine.contract.errors import ShoeloraError
from engine.contract.run_dir import Workspace
from engine.dataset import held_out_count, read_dataset, require_usable
from engine.estimate import SMALL_MODEL, disk_need, memory_parts, model_bytes
from engine.fitting import fit
from engine.model_source import find_base_model, find_preview_decoder

Verdict = Literal["OK", "WARN", "FAIL"]
REINSTALL = "Install again with constraints.txt: `make demo`, or `pip install -c constraints.txt .`"
SMALLEST_TERMINAL = (80, 24)  # columns and lines for the console's full view


@dataclass(frozen=True)
class Check:
    """What was looked at, how it stands, what was found, and what to do about it."""

    name: str
    verdict: Verdict
    text: str
    remedy: str = ""


CheckFunction = Callable[[TrainingConfig, Workspace], Check]


def check_python(_: TrainingConfig, __: Workspace) -> Check:
    """The interpreter's version against requires-python."""
    wanted = SpecifierSet(metadata.metadata("shoelora-tui")["Requires-Python"])
    text = f"{platform.python_version()} on {platform.platform(terse=True)}, {platform.machine()}"
    if platform.python_version() in wanted:
        return Check("python", "OK", text)
    return Check("python", "FAIL", f"{text}; wanted {wanted}", "Install Python 3.11, 3.12 or 3.13 and make .venv anew.")


def check_torch(_: TrainingConfig, __: Workspace) -> Check:
    """Whether torch loads, and which build it is."""
    pinned = check_package("torch")
    if pinned.verdict == "FAIL":
        return pinned
    from engine import device  # loads torch, which may be broken: that must be told as a check's result

    facts = device.describe()
    return Check("torch", "OK", f"{facts['torch']}, {facts['cpu_threads']} CPU threads")


def check_device(config: TrainingConfig, _: Workspace) -> Check:
    """Which device would train, and why the faster ones would not."""
    from engine import device

    facts = {name: fact for name, fact in device.describe().items() if name not in {"torch", "cpu_threads"}}
    chosen = device.choose_device(config.device)
    config = validate({**config.model_dump(), "device": chosen.name})  # what auto becomes must fit
    device.choose_precision(config.mixed_precision, chosen)
    if config.torch_compile:
        device.require_compiler(chosen)
    text = f"{chosen.name} ({chosen.reason}); " + "; ".join(f"{name}: {fact}" for name, fact in facts.items())
    if chosen.name == "cpu" and model_bytes(config.pretrained_model_name_or_path) >= SMALL_MODEL:
        return Check(
            "device", "WARN", text, "A run of SD 1.5 takes days on a CPU; use an Apple Silicon Mac or an NVIDIA GPU."
        )
    return Check("device", "OK", text)


def check_package(name: str) -> Check:
    """A package's version against the one that this project was tested with."""
    wanted = next(
        r.specifier for line in metadata.requires("shoelora-tui") or () if (r := Requirement(line)).name == name
    )
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Check(name, "FAIL", "not installed", REINSTALL)
    if wanted.contains(found, prereleases=True):
        return Check(name, "OK", found)
    return Check(name, "FAIL", f"{found}, but {wanted} is needed", REINSTALL)


def package(name: str) -> CheckFunction:
    """The check of one package's version."""
    return lambda _, __: check_package(name)


def check_memory(config: TrainingConfig, _: Workspace) -> Check:
    """Memory of this machine, and of the device where it has its own bound, against the estimate."""
    from engine import device

    room = device.room(device.choose_device(config.device), config.num_processes)
    chosen = fit(config, room).adjustments
    config = apply(config, chosen)
    need, available = memory_parts(config, room).total, psutil.virtual_memory().available
    text = (
        f"about {size(need)} needed; {size(room.size)} can be used, {size(available)} of the system is free; "
        f"train_batch_size {config.micro_batch_size}, gradient_checkpointing {config.checkpointing_mode}"
        + (f" ({chosen.why})" if chosen.why else "")
    )
    remedy = "Set train_batch_size 1 or gradient_checkpointing full, or begin with --config low_memory."
    if need > room.size:
        return Check("memory", "FAIL", text, remedy)
    if need > available and room.owner == "machine":
        return Check("memory", "WARN", text, f"Close other programs. {remedy}")
    return Check("memory", "OK", text)


def check_disk(config: TrainingConfig, workspace: Workspace) -> Check:
    """Room in the workspace against the estimate."""
    need = disk_need(config, model_bytes(config.pretrained_model_name_or_path), _sample_count(config, workspace))
    free = shutil.disk_usage(workspace.root).free
    text = f"about {size(need)} needed; {size(free)} free in {workspace.root}"
    remedy = "Make room, name another --workspace, or set save_final_pipeline false."
    if not os.access(workspace.root, os.W_OK):
        return Check("disk", "FAIL", f"{workspace.root} cannot be written to", "Name another --workspace.")
    return Check("disk", "FAIL" if need > free else "WARN" if 2 * need > free else "OK", text, remedy)


def check_dataset(config: TrainingConfig, workspace: Workspace) -> Check:
    """Pictures and captions, as far as that can be told without decoding the pictures."""
    dataset = read_dataset(workspace.root / config.train_data_dir)
    count = len(dataset.samples)
    require_usable(dataset, config.effective_batch_size, held_out_count(count, config.validation_split))
    text = f"{count} pictures with captions in {config.train_data_dir}"
    if not dataset.problems:
        return Check("data set", "OK", text)
    named = ", ".join(f"{problem.file} {problem.reason}" for problem in dataset.problems[:3])
    return Check("data set", "WARN", f"{text}; {dataset.bad} left out: {named}", "Mend or remove them.")


def check_base_model(config: TrainingConfig, _: Workspace) -> Check:
    """Whether base model and preview decoder lie on this computer, whole and of the right kind."""
    source = find_base_model(config.pretrained_model_name_or_path)
    if config.preview_decoder:
        find_preview_decoder(config.preview_decoder, source)
    if source.notices:
        return Check("base model", "WARN", "; ".join(source.notices), "Put the new name into the config.")
    return Check("base model", "OK", str(source.path))


def check_terminal(_: TrainingConfig, __: Workspace) -> Check:
    """Size, colours and signs of the terminal, if there is one."""
    if not sys.stdout.isatty():
        return Check("terminal", "OK", "none; runs print a line per step")
    columns, lines = os.get_terminal_size(sys.stdout.fileno())
    encoding = sys.stdout.encoding.lower()
    colours = "true colour" if os.environ.get("COLORTERM") in {"truecolor", "24bit"} else "256 colours or fewer"
    text = f"{columns}x{lines}, {colours}, {encoding}, pictures as half-blocks"
    wishes = []
    if columns < SMALLEST_TERMINAL[0] or lines < SMALLEST_TERMINAL[1]:
        wishes.append(f"Enlarge it to {SMALLEST_TERMINAL[0]}x{SMALLEST_TERMINAL[1]}.")
    if not colours.startswith("true"):
        wishes.append("If it can show true colour, set COLORTERM=truecolor; it is often not forwarded over SSH.")
    if "utf" not in encoding:
        wishes.append("Set LANG to a UTF-8 locale.")
    return Check("terminal", "WARN" if wishes else "OK", text, " ".join(wishes))


def _sample_count(config: TrainingConfig, workspace: Workspace) -> int:
    try:
        return len(read_dataset(workspace.root / config.train_data_dir).samples)
    except ShoeloraError:  # told by the check of the data set
        return 0


CHECKS: dict[str, CheckFunction] = {
    "python": check_python,
    "torch": check_torch,
    "device": check_device,
    **{name: package(name) for name in ("diffusers", "transformers", "peft", "accelerate")},
    "memory": check_memory,
    "disk": check_disk,
    "data set": check_dataset,
    "base model": check_base_model,
    "terminal": check_terminal,
}
