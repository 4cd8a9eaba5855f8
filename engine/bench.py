"""`python -m engine.bench`: times training in every mode that is right on this machine, and recommends one."""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf
from statistics import median

from accelerate.state import AcceleratorState

from engine import device as devices
from engine import tool
from engine.arithmetic import MATRIX, gradient_difference, matrix_rate
from engine.contract import adjustments
from engine.contract.adjustments import MODES
from engine.contract.config import CheckpointingMode, TrainingConfig
from engine.contract.config_file import validate
from engine.contract.contradictions import contradictions
from engine.contract.errors import DeviceError, NonFiniteError
from engine.contract.run_dir import Workspace
from engine.estimate import step_operations
from engine.fitting import fit
from engine.measured_pace import keep_measurement
from engine.preparation import Prepared, prepare
from engine.trainer import Trainer

STEPS = 20
WARM_UP = 2  # steps that also compile kernels and fill the allocator
CLOSE = 1e-2  # relative difference of gradients; rounding alone makes 1e-5 to 1e-3
FULL = 0.9  # of the device's limit; more leaves nothing for validation images

TABLE = "{:<19} {:<5} {:>14} {:>10} {:>9} {:>8} {:>10}  {}"


@dataclass(frozen=True)
class Row:
    """What one mode took: seconds of a micro-batch, operations per second, and bytes at the peak; or why it failed.

    The peak is that of all modes so far on a CPU, where it never falls. `starting` is by how many seconds the first
    step took longer: compiling, above all.
    """

    checkpointing: CheckpointingMode
    precision: str
    batch: int
    seconds: float = 0.0
    rate: float = 0.0
    peak: int = 0
    fault: str = ""
    compiled: bool = False
    starting: float = 0.0

    @property
    def mode(self) -> str:
        """What is computed twice, and whether steps are compiled."""
        return f"{self.checkpointing}, compiled" if self.compiled else self.checkpointing

    @property
    def dtype(self) -> str:
        """What the numbers of the base model are."""
        return "fp32" if self.precision == "no" else self.precision

    def cells(self, reachable: float) -> list[str]:
        """Its line of the table; `reachable` is the rate of a large matrix product."""
        if self.fault:
            return [self.mode, self.dtype, *["–"] * 5, self.fault]
        return [
            self.mode, self.dtype, f"{self.seconds:.3f}", f"{self.batch / self.seconds:.2f}",
            f"{self.rate / 1e9:.0f}", f"{self.rate / reachable:.0%}", f"{self.peak / 2**30:.2f} GiB", "",
        ]  # fmt: skip


def bench(config: TrainingConfig, workspace: Workspace, arguments: argparse.Namespace) -> int:
    """Time every mode, compare gradients with the CPU's, and say which settings to use. The figures are kept."""
    device = devices.choose_device(config.device)
    config = adjustments.apply(config, fit(config, devices.room(device, 1)).adjustments)
    reachable = matrix_rate(device)
    print(f"[OK] device: {device.name} ({device.reason}); a product of {MATRIX} x {MATRIX} matrices in fp32 reaches "
          f"{reachable / 1e9:.0f} GFLOP/s", flush=True)  # fmt: skip
    rows: list[Row] = []
    difference: float | None = None
    compiles = _compiles(config, device)
    for precision in devices.precisions(device):
        prepared = _prepared(config, precision, compiles, workspace)
        trainer = Trainer(prepared)
        if not rows:
            print(TABLE.format("mode", "dtype", "s/micro-batch", "samples/s", "GFLOP/s", "of that", "memory", ""))
        for row in _timed(trainer, prepared, arguments.steps):
            rows.append(row)
            print(TABLE.format(*row.cells(reachable)).rstrip(), flush=True)
            if not row.fault:
                asked = trainer.config.model_copy(update={"device": config.device})  # as estimates will look for it
                _keep(workspace, asked, row, devices.memory(device).limit)
        if precision == "no":
            difference = None if device.name == "cpu" else gradient_difference(trainer, device)
        del trainer, prepared  # the next precision needs the room
        AcceleratorState._reset_state(reset_partial_state=True)  # of which a process has one, with one precision
        devices.empty_cache(device)
    return _conclude(config, device, rows, difference)


def _compiles(config: TrainingConfig, device: devices.Device) -> bool:
    """Whether steps can be compiled here; says why not."""
    there = config.model_copy(update={"device": device.name, "torch_compile": False})
    wrong = set(contradictions(there.model_copy(update={"torch_compile": True}))) - set(contradictions(there))
    try:
        if not wrong:
            devices.require_compiler(device)
            return True
        why = wrong.pop()
    except DeviceError as error:
        why = f"{error.what}: {error.why}"
    print(f"[OK] steps are not compiled here: {why}", flush=True)
    return False


def _prepared(config: TrainingConfig, precision: str, compiles: bool, workspace: Workspace) -> Prepared:
    """A run of one micro-batch per step; weights are loaded again, since their precision is decided at loading."""
    changes = {
        "mixed_precision": precision, "gradient_accumulation_steps": 1, "gradient_checkpointing": "none",
        "num_processes": 1, "torch_compile": compiles,
    }  # fmt: skip
    return prepare(validate({**config.model_dump(), **changes}), workspace, tool.print_progress, tool.print_warning)


def _timed(trainer: Trainer, prepared: Prepared, steps: int) -> Iterator[Row]:
    """A row for each mode of checkpointing, then one for the fastest of them with compiled steps."""
    config, device = prepared.config, prepared.device
    rows = []
    for mode in reversed(MODES):  # from the least memory: a CPU's peak never falls
        plain = config.model_copy(update={"gradient_checkpointing": mode, "torch_compile": False})
        if wrong := next(contradictions(plain), None):
            rows.append(Row(mode, config.mixed_precision, config.micro_batch_size, fault=wrong))
        else:
            rows.append(_time(trainer, plain, device, steps))
        yield rows[-1]
    best = recommended(rows, devices.memory(device).limit)
    if config.torch_compile and best:
        yield _time(trainer, config.model_copy(update={"gradient_checkpointing": best.checkpointing}), device, steps)


def _time(trainer: Trainer, config: TrainingConfig, device: devices.Device, steps: int) -> Row:
    """What steps of a config take; a mode that needs too much memory or computes wrongly says so."""
    row = Row(config.checkpointing_mode, config.mixed_precision, config.micro_batch_size, compiled=config.torch_compile)
    trainer.adapt(config)
    devices.reset_peak_memory(device)
    try:
        took = [trainer.step(lambda: 0.0).seconds for _ in range(WARM_UP + steps)]
    except NonFiniteError as error:
        return replace(row, fault=f"not finite: {error.why}")
    except Exception as error:  # the compiler has many of its own
        ran_out = devices.is_out_of_memory(error)
        if not row.compiled and not ran_out:
            raise
        trainer.abandon_step()
        reason = " ".join(str(error).split("\n")[:2])  # the compiler names its part first
        return replace(row, fault="memory ran out" if ran_out else reason)
    seconds, peak = median(took[WARM_UP:]), devices.peak_memory(device)
    rate = step_operations(config) / seconds
    return replace(row, seconds=seconds, rate=rate, peak=peak, starting=max(0.0, took[0] - seconds))


def recommended(rows: list[Row], limit: int, micro_batches: float = inf) -> Row | None:
    """Of the modes that compute rightly and leave some memory, the one in which a run is done first.

    `limit` in bytes, 0 if it is unknown; `micro_batches` of the run, of which a short one may not be worth compiling.
    """
    fits = [row for row in rows if not row.fault and (not limit or row.peak <= FULL * limit)]
    return min(fits, key=lambda row: row.seconds + row.starting / micro_batches, default=None)


def _conclude(config: TrainingConfig, device: devices.Device, rows: list[Row], difference: float | None) -> int:
    if difference is not None:
        close = difference < CLOSE
        print(f"[{'OK' if close else 'FAIL'}] gradients: {difference:.1e} from the CPU's on a small input")
        if not close:
            raise DeviceError(
                f"{device.name} computes other gradients than the CPU",
                f"They differ by {difference:.1%} of their norm; rounding alone stays far below {CLOSE:.0%}.",
                "Update macOS and torch; until then train with --device cpu.",
            )
    micro_batches = config.effective_batch_size / config.micro_batch_size
    limit = devices.memory(device).limit
    best = recommended(rows, limit, micro_batches * config.max_train_steps)
    fastest = recommended(rows, limit)
    if best is None or fastest is None:
        raise DeviceError(
            f"No mode can be used on {device.name}",
            "; ".join(f"{row.mode} {row.dtype}: {row.fault or 'memory is too small'}" for row in rows),
            "Lower train_batch_size or resolution, or train with --device cpu.",
        )
    if fastest.compiled and not best.compiled:
        print(
            f"[OK] compiled steps would save {(best.seconds - fastest.seconds) * micro_batches:.3f} s each, and "
            f"{fastest.starting:.0f} s of compiling are more than {config.max_train_steps} of them save"
        )
    print(
        f"Recommended: --gradient_checkpointing {best.checkpointing} --mixed_precision {best.precision} "
        f"--torch_compile {str(best.compiled).lower()} ({best.seconds * micro_batches:.2f} s per step of "
        f"{config.effective_batch_size} samples). Estimates use these figures from now on."
    )
    return 0


def _keep(workspace: Workspace, config: TrainingConfig, row: Row, limit: int) -> None:
    try:
        keep_measurement(workspace, config, row.seconds, row.peak, limit, by="bench")
    except OSError as error:
        print(f"[WARN] These figures could not be kept: {error}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="engine.bench")
    parser.add_argument("--steps", type=int, default=STEPS)
    return parser


if __name__ == "__main__":
    sys.exit(tool.run(_parser(), bench))
