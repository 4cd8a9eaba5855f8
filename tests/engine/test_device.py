"""Choice of device and precision, with devices that this machine does not have played by fakes."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import psutil
import pytest
import torch

from engine import device as devices
from engine import machine
from engine.contract.errors import DeviceError
from engine.device import CPU, Device, DeviceMemory, choose_device, choose_precision

GIB = 2**30
MPS, CUDA = Device("mps", "asked for"), Device("cuda", "asked for")


@pytest.fixture
def have(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Makes torch claim to have some devices, and returns the list of what is asked of them."""
    called: list[str] = []

    def make(*names: str) -> list[str]:
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in names)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in names)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA Fake 1")
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda: SimpleNamespace(total_memory=24 * GIB))
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 6 * GIB)
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 7 * GIB)
        monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 9 * GIB)
        monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 24 * GIB)
        monkeypatch.setattr(torch.mps, "current_allocated_memory", lambda: 3 * GIB)
        monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 5 * GIB)
        for module in (torch.cuda, torch.mps):
            for function in ("synchronize", "empty_cache"):
                name = f"{module.__name__}.{function}"
                monkeypatch.setattr(module, function, lambda name=name: called.append(name))
        return called

    return make


Have = Callable[..., list[str]]

# ---- choice -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "asked", "name", "reason"),
    [
        (("mps", "cuda"), "auto", "mps", "Apple GPU, recommended working set 24.0 GiB"),
        (("cuda",), "auto", "cuda", "NVIDIA Fake 1"),
        ((), "auto", "cpu", "neither mps nor cuda is available"),
        (("mps", "cuda"), "cuda", "cuda", "asked for; NVIDIA Fake 1"),
        (("mps", "cuda"), "mps", "mps", "asked for; Apple GPU, recommended working set 24.0 GiB"),
        (("mps", "cuda"), "cpu", "cpu", "asked for"),
    ],
)
def test_the_device_and_why(have: Have, there: tuple[str, ...], asked: str, name: str, reason: str) -> None:
    have(*there)
    device = choose_device(asked)
    assert device == Device(name, reason)  # type: ignore[arg-type]
    assert device.torch == torch.device(name)


@pytest.mark.parametrize(
    ("asked", "platform", "built", "why"),
    [
        ("mps", "linux", False, "Apple's Metal exists on macOS only."),
        ("mps", "darwin", False, f"torch {torch.__version__} was built without MPS."),
        ("mps", "darwin", True, "This Mac has no Apple GPU that Metal can use, or its macOS is older than 14."),
        ("cuda", "linux", False, f"torch {torch.__version__} sees no CUDA device."),
    ],
)
def test_a_device_that_is_not_there_is_refused_with_the_reason(
    have: Have, monkeypatch: pytest.MonkeyPatch, asked: str, platform: str, built: bool, why: str
) -> None:
    have()
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: built)
    with pytest.raises(DeviceError) as raised:
        choose_device(asked)
    assert raised.value.what == f"There is no {asked} device"
    assert raised.value.why == why
    assert raised.value.remedy == "Set device to auto or cpu."


def test_check_is_told_what_is_there(have: Have) -> None:
    have("mps", "cuda")
    found = devices.describe()
    assert (found["mps"], found["cuda"], found["torch"]) == ("available", "NVIDIA Fake 1", torch.__version__)
    have()
    found = devices.describe()
    assert found["cuda"] == "not available"
    assert found["mps"] != "available"
    assert found["cpu_threads"] >= 1


# ---- precision ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", [CPU, CUDA, MPS])
def test_fp32_is_to_be_had_everywhere(device: Device) -> None:
    precision = choose_precision("no", device)
    assert (precision.mixed_precision, precision.base_dtype, precision.label) == ("no", torch.float32, "fp32")


@pytest.mark.parametrize("device", [CUDA, MPS])
def test_fp16_with_loss_scaling_on_a_gpu(device: Device) -> None:
    precision = choose_precision("fp16", device)
    assert (precision.mixed_precision, precision.base_dtype, precision.label) == ("fp16", torch.float16, "fp16")
    assert "loss scaling" in precision.reason


def test_fp16_on_the_cpu_is_refused() -> None:
    with pytest.raises(DeviceError, match="fp16 cannot be trained on cpu") as raised:
        choose_precision("fp16", CPU)
    assert raised.value.remedy == "Set mixed_precision to no, or to bf16."


def test_bf16_and_what_it_costs(have: Have, monkeypatch: pytest.MonkeyPatch) -> None:
    have("cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    for device, chip in ((CPU, ""), (CUDA, ""), (MPS, "Apple M1"), (MPS, "Apple M2 Max"), (MPS, "Apple M3 Pro")):
        monkeypatch.setattr(machine, "machine", lambda chip=chip, **_: machine.apple(chip))
        precision = choose_precision("bf16", device)
        assert (precision.mixed_precision, precision.base_dtype) == ("bf16", torch.bfloat16)
        emulated = chip.startswith(("Apple M1", "Apple M2"))
        assert ("emulate" in precision.reason) == emulated
        assert ("bf16" in devices.precisions(device)) == (device is not CPU and not emulated)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    with pytest.raises(DeviceError, match="cannot compute in bf16") as raised:
        choose_precision("bf16", CUDA)
    assert raised.value.why == "NVIDIA Fake 1"


# ---- bounds -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("resolution", "most"), [(512, 8), (256, 32), (64, 512), (768, 3), (1024, 2), (2048, 0)])
def test_the_largest_batch_on_mps_keeps_attention_within_32768_rows(resolution: int, most: int) -> None:
    assert devices.largest_batch(MPS, resolution) == most
    rows = (resolution // 8) ** 2
    assert most * rows <= 32_768
    assert (most + 1) * rows > 32_768


def test_the_room_on_a_gpu_is_its_own_and_on_a_cpu_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "memory", lambda _: devices.DeviceMemory(1, 2, 24 * 2**30))
    assert devices.room(MPS, 1) == machine.Room(24 * 2**30, "device", is_metal=True)
    assert devices.room(CUDA, 2) == machine.Room(24 * 2**30, "device")
    assert devices.room(MPS, 1).largest_batch(512) == devices.largest_batch(MPS, 512)
    monkeypatch.setattr(machine, "memory", lambda: (32 * 2**30, 2**30))
    assert devices.room(CPU, 2) == machine.Room(16 * 2**30, "machine")


def test_other_devices_have_no_such_bound() -> None:
    assert devices.largest_batch(CPU, 2048) is None
    assert devices.largest_batch(CUDA, 2048) is None


@pytest.mark.parametrize(("resolution", "batch"), [(64, 32), (256, 16), (512, 4), (768, 1), (2048, 1)])
def test_a_gpu_encodes_a_megapixel_at_once_and_a_cpu_one_picture(resolution: int, batch: int) -> None:
    assert devices.encoding_batch(CPU, resolution) == 1
    assert devices.encoding_batch(CUDA, resolution) == devices.encoding_batch(MPS, resolution) == batch
    assert batch * (resolution // 8) ** 2 <= 32_768 or batch == 1


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_a_small_model_gets_one_thread_and_only_on_the_cpu() -> None:
    devices.choose_threads(CPU, 860_000_000)
    devices.choose_threads(MPS, 700_000)
    assert torch.get_num_threads() == 2
    devices.choose_threads(CPU, 700_000)
    assert torch.get_num_threads() == 1


# ---- memory -------------------------------------------------------------------------------------------------------


def test_memory_in_use_and_its_limit(have: Have) -> None:
    have("mps", "cuda")
    assert devices.memory(MPS) == DeviceMemory(3 * GIB, 5 * GIB, 24 * GIB)
    assert devices.memory(CUDA) == DeviceMemory(6 * GIB, 7 * GIB, 24 * GIB)
    assert devices.memory(CPU) == DeviceMemory(0, 0, 0)
    assert devices.peak_memory(MPS) == 5 * GIB
    assert devices.peak_memory(CUDA) == 9 * GIB


def test_the_peak_of_the_process_is_in_bytes() -> None:
    """getrusage counts KiB on one system and bytes on another."""
    resident = psutil.Process().memory_info().rss
    assert resident * 0.9 < devices.peak_memory(CPU) < resident * 20


def test_waiting_and_freeing_go_to_the_device(have: Have) -> None:
    called = have("mps", "cuda")
    for device in (MPS, CUDA, CPU):
        devices.synchronize(device)
        devices.empty_cache(device)
    assert called == ["torch.mps.synchronize", "torch.mps.empty_cache", "torch.cuda.synchronize",
                      "torch.cuda.empty_cache"]  # fmt: skip


FAULTS = """
import resource, torch
from engine import device as devices

def pages(act):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    act()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1])

make = lambda: torch.ones(16 * 2**20)  # 64 MiB
make()
print(pages(make))
devices.keep_freed_memory(devices.CPU)
for _ in range(20):  # until no leftover of an aligned block lies between the heap's top and what was freed
    make()
print(pages(make))
kept = resident()
devices.empty_cache(devices.CPU)
print(kept - resident())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="only glibc can be told to keep freed memory")
def test_on_a_cpu_freed_memory_is_used_again_until_it_is_given_back() -> None:
    """In pages of memory, of which a tensor of 64 MiB has 16,384, or 32 where the system hands out huge ones."""
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, timeout=120, check=True)
    taken, taken_again, given_back = map(int, done.stdout.split())
    assert taken > 8 * max(1, taken_again)
    assert given_back > 10_000  # small ones


def test_a_c_library_that_cannot_keep_freed_memory_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "CDLL", lambda _: object())
    devices.keep_freed_memory(CPU)
    devices.empty_cache(CPU)


def test_a_module_moves_in_place() -> None:
    module = torch.nn.Linear(2, 2)
    devices.move(module, Device("meta", ""))  # type: ignore[arg-type]  # a device that every torch has
    assert module.weight.device.type == "meta"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(
            "MPS backend out of memory (MPS allocated: 17.60 GB, other allocations: 384.00 KB, max allowed: 18.13 GB). "
            "Tried to allocate 1.00 GB on private pool."
        ),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1000 bytes."),
        MemoryError(),
    ],
)
def test_what_says_that_memory_ran_out(error: BaseException) -> None:
    assert devices.is_out_of_memory(error)


@pytest.mark.parametrize("error", [RuntimeError("shapes do not match"), ValueError("CUDA out of memory"), OSError(28)])
def test_what_says_something_else(error: BaseException) -> None:
    assert not devices.is_out_of_memory(error)


def test_a_real_allocation_that_fails_is_recognised() -> None:
    with pytest.raises((RuntimeError, MemoryError)) as raised:
        torch.empty(2**60, dtype=torch.uint8)
    assert devices.is_out_of_memory(raised.value)


# ---- settings before torch ----------------------------------------------------------------------------------------

WATCH = """
import os, sys, tempfile
HIGH, LOW = "PYTORCH_MPS_HIGH_WATERMARK_RATIO", "PYTORCH_MPS_LOW_WATERMARK_RATIO"

class TorchSeen(BaseException): pass

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(os.environ.get(HIGH), os.environ.get(LOW), flush=True)
            raise TorchSeen

sys.meta_path.insert(0, Watch())
try:
    {start}
except TorchSeen:
    pass
"""
WORKER = """
    import pathlib
    from multiprocessing import get_context
    from engine.channel import open_channel
    from engine.worker import work
    run = pathlib.Path(tempfile.mkdtemp())
    (run / "config.json").touch()
    work(str(run), "no log", open_channel(get_context("spawn"))[1], False)
"""


def at_the_import_of_torch(start: str, **environment: str) -> str:
    """The two settings at the moment when a fresh process first looks for torch."""
    names = ("PYTORCH_MPS_HIGH_WATERMARK_RATIO", "PYTORCH_MPS_LOW_WATERMARK_RATIO")
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", WATCH.replace("{start}", start.strip())],
        env={**inherited, **environment}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.mark.parametrize(
    "start", ["import engine.training", "import engine.preflight", "import engine.sample", WORKER],
    ids=["training", "preflight", "sample", "worker"],
)  # fmt: skip
def test_the_memory_guard_is_set_before_torch_is_imported(start: str) -> None:
    assert at_the_import_of_torch(start) == "1.0 0.8"


def test_a_guard_that_the_user_has_set_stays() -> None:
    given = {"PYTORCH_MPS_HIGH_WATERMARK_RATIO": "1.5"}
    assert at_the_import_of_torch("import engine.training", **given) == "1.5 None"
