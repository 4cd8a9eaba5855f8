"""The only file that knows how mps, cuda and cpu differ: choice, precision, memory, settings, errors."""

import os
import resource
import sys
from ctypes import CDLL
from dataclasses import dataclass
from typing import Any, Literal

# Read once by torch when it is imported, hence before that. MPS's own guard lies above the physical memory of a
# 32 GB machine, which then swaps before it fails; HIGH below 1.4 is refused unless LOW is set as well.
if "PYTORCH_MPS_HIGH_WATERMARK_RATIO" not in os.environ:
    os.environ["PYTORCH_MPS_HIGH_WATERMARK_RATIO"] = "1.0"
    os.environ["PYTORCH_MPS_LOW_WATERMARK_RATIO"] = "0.8"

import torch

from engine import machine
from engine.contract.errors import DeviceError

DeviceName = Literal["mps", "cuda", "cpu"]
ENCODED_PIXELS = 2**20  # of all pictures that the VAE encodes at once
MOST_ENCODED = 32  # what an interruption may lose
TRIM_THRESHOLD, MMAP_MAX = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h


@dataclass(frozen=True)
class Device:
    """A device and why it was chosen."""

    name: DeviceName
    reason: str

    @property
    def torch(self) -> torch.device:
        """The device as torch names it."""
        return torch.device(self.name)


CPU = Device("cpu", "where models wait that are not needed now")


@dataclass(frozen=True)
class Precision:
    """How numbers are kept: `mixed_precision` as accelerate has it, and the dtype of the frozen UNet."""

    mixed_precision: Literal["no", "fp16", "bf16"]
    base_dtype: torch.dtype
    label: str
    reason: str


@dataclass(frozen=True)
class DeviceMemory:
    """Bytes of device memory: filled by tensors, held for this process by the driver, and the most that it should hold.

    All are 0 where they are not known.
    """

    tensors: int
    held: int
    limit: int


def choose_device(asked: str) -> Device:
    """The device to train on. Raises DeviceError if the one that was asked for is not there."""
    missing = {
        "mps": _why_no_mps(),
        "cuda": "" if torch.cuda.is_available() else f"torch {torch.__version__} sees no CUDA device.",
    }
    if asked == "cpu":
        return Device("cpu", "asked for")
    names: tuple[DeviceName, ...] = ("mps", "cuda")
    for name in names:
        if asked == name and missing[name]:
            raise DeviceError(f"There is no {name} device", missing[name], "Set device to auto or cpu.")
        if asked in {name, "auto"} and not missing[name]:
            return Device(name, f"asked for; {_hardware(name)}" if asked == name else _hardware(name))
    return Device("cpu", "neither mps nor cuda is available")


def _why_no_mps() -> str:
    if torch.backends.mps.is_available():
        return ""
    if sys.platform != "darwin":
        return "Apple's Metal exists on macOS only."
    if not torch.backends.mps.is_built():
        return f"torch {torch.__version__} was built without MPS."
    return "This Mac has no Apple GPU that Metal can use, or its macOS is older than 14."


def _hardware(name: DeviceName) -> str:
    if name == "cuda":
        return str(torch.cuda.get_device_name())
    gib = torch.mps.recommended_max_memory() / 2**30
    return f"Apple GPU, recommended working set {gib:.1f} GiB"


def choose_precision(asked: str, device: Device) -> Precision:
    """How to keep numbers on a device. Raises DeviceError where a wish would fail or train wrongly."""
    if asked == "no":
        return Precision("no", torch.float32, "fp32", "exact and safe everywhere")
    if asked == "fp16":
        if device.name == "cpu":
            raise DeviceError(
                "fp16 cannot be trained on cpu",
                "There is no gradient scaling there.",
                "Set mixed_precision to no, or to bf16.",
            )
        return Precision("fp16", torch.float16, "fp16", "fp16 base with fp32 adapters and loss scaling")
    if device.name == "cuda" and not torch.cuda.is_bf16_supported():
        raise DeviceError("This GPU cannot compute in bf16", _hardware("cuda"), "Set mixed_precision to fp16.")
    slow = "; M1 and M2 emulate bf16, which is slow" if _emulates_bf16(device) else ""
    return Precision("bf16", torch.bfloat16, "bf16", f"bf16 base with fp32 adapters{slow}")


def precisions(device: Device) -> tuple[str, ...]:
    """The settings of mixed_precision that are worth trying on a device: right there, and not slower by design."""
    if device.name == "cpu":
        return ("no",)
    if device.name == "mps":  # the same rate of arithmetic, half of the memory
        return ("no", "fp16") if _emulates_bf16(device) else ("no", "fp16", "bf16")
    return ("no", "fp16", "bf16") if torch.cuda.is_bf16_supported() else ("no", "fp16")


def _emulates_bf16(device: Device) -> bool:
    """Whether bf16 is computed by way of fp32, as Apple's first two generations do."""
    return device.name == "mps" and not {"M1", "M2"}.isdisjoint(machine.machine(cpu_only=False).name.split())


def require_compiler(device: Device) -> None:
    """Compile a line, which takes some seconds. Raises DeviceError, with the compiler's reason, if that fails."""
    double = torch.compile(lambda numbers: 2 * numbers + 1)
    try:
        with torch.compiler.set_stance("default"):
            double(torch.ones(8, device=device.torch))
    except Exception as error:  # each part of the compiler has errors of its own
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        needed = "A C++ compiler and Python's headers" if device.name == "cpu" else "triton and a C compiler"
        raise DeviceError(
            f"torch.compile does not work on {device.name} here",
            lines[0] if lines else type(error).__name__,
            f"{needed} are needed (Debian: apt install g++ python3-dev; macOS: xcode-select --install). Or set "
            "torch_compile false: training is the same, only slower.",
        ) from error


def fuses_adamw(device: Device) -> bool | None:
    """Whether AdamW moves all weights in one kernel; None leaves that to torch.

    On a CPU that takes a third of the time, and torch would not choose it. Where the loss is scaled it is left alone:
    some versions move the weights although a gradient has overflowed (pytorch #186360).
    """
    return True if device.name == "cpu" else None


def choose_threads(device: Device, parameters: int) -> None:
    """On a CPU, one thread for models too small to gain from more (ten demo steps: 0.9 s instead of up to 79 s)."""
    if device.name == "cpu" and parameters < machine.SMALL_MODEL:
        torch.set_num_threads(1)


def keep_freed_memory(device: Device) -> None:
    """On a CPU, have the heap keep what tensors leave until `empty_cache`, where the C library can.

    glibc gives large tensors back at once and takes pages for the next ones, each of which the system has to clear:
    2.4 million of them in a step of SD 1.5 at 512 px, a tenth of its time.
    """
    if device.name == "cpu" and (mallopt := _of_libc("mallopt")):
        mallopt(MMAP_MAX, 0)  # nothing outside of the heap
        mallopt(TRIM_THRESHOLD, -1)  # which never shrinks by itself


def _of_libc(name: str) -> Any:
    """A function of the C library; None on systems whose library lacks it."""
    return getattr(CDLL(None), name, None)


def take_own(device: Device, index: int, processes: int) -> None:
    """Make one of the GPUs that of this process. Raises DeviceError if there are fewer than processes."""
    if device.name == "cpu":
        return
    there = torch.cuda.device_count() if device.name == "cuda" else 1
    if there < processes:
        raise DeviceError(
            f"{processes} processes need {processes} GPUs",
            f"This machine has {there}: {device.reason}." if there == 1 else f"torch sees {there}.",
            f"Set num_processes to {there}.",
        )
    torch.cuda.set_device(index)


def backends(device: Device) -> str:
    """What the processes of a run talk over, as torch.distributed names it: for tensors on the CPU and on GPUs."""
    return "cpu:gloo,cuda:nccl" if device.name == "cuda" else "cpu:gloo"


def largest_batch(device: Device, resolution: int) -> int | None:
    """The most samples in one forward pass that this device computes rightly; None if there is no such bound.

    0 if the resolution is too large for even one.
    """
    if device.name != "mps":
        return None
    return machine.METAL_ROWS // (resolution // 8) ** 2  # rows of the longest attention: one per latent pixel


def encoding_batch(device: Device, resolution: int) -> int:
    """How many pictures the VAE encodes at once.

    One on a CPU, whose cores a single picture keeps busy: 8 at once save 2 % of the time at 256 px. On a GPU as many as
    make a megapixel, so that starting a kernel weighs little against its work also where pictures are small. That is 4
    at 512 px: about 3 GB in fp32, less than a training step takes, and half of METAL_ROWS.
    """
    return 1 if device.name == "cpu" else min(max(1, ENCODED_PIXELS // resolution**2), MOST_ENCODED)


def memory(device: Device) -> DeviceMemory:
    """Device memory in use now."""
    if device.name == "cuda":
        total = torch.cuda.get_device_properties().total_memory
        return DeviceMemory(torch.cuda.memory_allocated(), torch.cuda.memory_reserved(), total)
    if device.name == "mps":
        tensors, held = torch.mps.current_allocated_memory(), torch.mps.driver_allocated_memory()
        return DeviceMemory(tensors, held, torch.mps.recommended_max_memory())
    return DeviceMemory(0, 0, 0)


def room(device: Device, processes: int) -> machine.Room:
    """What one of the processes of a run may use. It does not depend on what is free just now."""
    if device.name == "cpu":
        return machine.machine(cpu_only=True).room(processes)
    return machine.Room(memory(device).limit, "device", is_metal=device.name == "mps")


def peak_memory(device: Device) -> int:
    """Most bytes held so far: on CUDA by tensors; on MPS, which counts no peak, what its driver holds now; else RSS."""
    if device.name == "cuda":
        return torch.cuda.max_memory_allocated()
    if device.name == "mps":
        return torch.mps.driver_allocated_memory()  # the driver gives back nothing before empty_cache
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage: bytes on macOS, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def reset_peak_memory(device: Device) -> None:
    """Begin to count the peak anew, where it can be: on MPS by giving back what is not used, on a CPU not at all."""
    if device.name == "cuda":
        torch.cuda.reset_peak_memory_stats()
    empty_cache(device)


def move(module: torch.nn.Module, device: Device) -> None:
    """Bring a module's weights to a device, in place."""
    module.to(device.torch)


def synchronize(device: Device) -> None:
    """Wait until the device has done all that it was given."""
    if device.name == "cuda":
        torch.cuda.synchronize()
    elif device.name == "mps":
        torch.mps.synchronize()


def empty_cache(device: Device) -> None:
    """Give memory that no tensor uses back to the system."""
    if device.name == "cuda":
        torch.cuda.empty_cache()
    elif device.name == "mps":
        torch.mps.empty_cache()
    elif trim := _of_libc("malloc_trim"):
        trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is the device's or the system's way to say that memory ran out."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    signs = ("MPS backend out of memory", "CUDA out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)


def is_fallback(message: str) -> bool:
    """Whether a warning of torch says that an operator which the device lacks is computed on the CPU instead."""
    return "fall back to run on the CPU" in message


def describe() -> dict[str, Any]:
    """What torch finds on this machine, for `check`."""
    missing = _why_no_mps()
    cuda = torch.cuda.is_available()
    return {
        "torch": torch.__version__,
        "mps": missing or "available",
        "cuda": _hardware("cuda") if cuda else "not available",
        "cpu_threads": torch.get_num_threads(),
    }
