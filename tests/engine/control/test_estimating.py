"""The estimate of a run as the console asks for it: figures, where the time comes from, and what stands in the way."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine import device as devices
from engine import machine, model_source
from engine.contract import protocol as p
from engine.contract.config import TrainingConfig
from engine.contract.config_file import find_config, load_config
from engine.contract.errors import ConfigError
from engine.contract.journal import JournalWriter
from engine.contract.run_dir import Workspace, create_run, list_runs
from engine.control import Estimate, estimate, launch, resolve
from engine.demo.drawing import draw_dataset
from engine.fitting import fit
from engine.measured_pace import keep_measurement


@pytest.fixture
def workspace(tmp_path: Path, drawn_demo: Path) -> Workspace:
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / ".demo").symlink_to(drawn_demo)
    return Workspace(tmp_path)


@pytest.fixture
def demo_config(workspace: Workspace) -> Callable[..., TrainingConfig]:
    preset = load_config(find_config("demo", workspace.root))
    return lambda **changes: TrainingConfig.model_validate({**preset.model_dump(), **changes})


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Lets NVIDIA's driver seem to lie somewhere; what the machine is is found anew, then and afterwards."""

    def lies_at(path: Path) -> None:
        monkeypatch.setattr(machine, "NVIDIA_DRIVER", path)
        machine.machine.cache_clear()

    yield lies_at
    machine.machine.cache_clear()


def in_the_way(found: Estimate) -> dict[str, str]:
    return {obstacle.setting: obstacle.error.what for obstacle in found.obstacles}


def test_nothing_stands_in_the_way_of_the_demo(
    workspace: Workspace, demo_config: Callable[..., TrainingConfig]
) -> None:
    config = demo_config(max_train_steps=110)
    found = estimate(workspace, config)
    assert found.obstacles == ()
    assert found.samples is not None
    assert (found.samples.training, found.samples.held_out, found.samples.left_out) == (88, 8, 0)
    assert found.effective_batch == config.effective_batch_size
    assert found.epochs == pytest.approx(110 * config.effective_batch_size / 88)
    assert found.disk_free > found.disk.total
    assert found.memory.parts.total < found.memory.limit
    assert (found.memory.limit_of, found.memory.limit_by) == ("machine", "")
    keep_measurement(workspace, resolve(workspace, config), 3.0, peak_memory=1, memory_limit=0)
    assert estimate(workspace, config).memory.limit_by == "", "a preflight that found the same says nothing new"


def test_a_disk_with_too_little_room_stands_in_the_way_with_what_takes_most_of_it(
    workspace: Workspace, demo_config: Callable[..., TrainingConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2_600_000))
    (obstacle,) = estimate(
        workspace, demo_config(num_validation_images=256, validation_steps=1, save_final_pipeline=False)
    ).obstacles
    assert obstacle.setting == "num_validation_images"
    assert "2.5 MiB are free" in obstacle.error.what and "images" in obstacle.error.why


def test_time_is_computed_from_operations_where_nothing_was_measured(
    workspace: Workspace, demo_config: Callable[..., TrainingConfig]
) -> None:
    found = estimate(workspace, demo_config(device="cpu")).duration
    assert not found.is_measured
    assert found.source.startswith("computed from operations")
    assert "CPU core" in found.source
    assert found.training > found.step > 0


def test_the_last_preflight_of_the_same_work_tells_the_time(
    workspace: Workspace, demo_config: Callable[..., TrainingConfig]
) -> None:
    config = demo_config(gradient_accumulation_steps=1, max_train_steps=10)
    keep_measurement(workspace, resolve(workspace, config), 3.0, peak_memory=1, memory_limit=77)
    found = estimate(workspace, config)
    assert found.duration.is_measured
    assert found.duration.source.startswith("measured by the preflight of")
    assert (found.duration.step, found.duration.training) == (3.0, 30.0)
    assert (found.memory.limit, found.memory.limit_of) == (77, "device")
    assert estimate(workspace, demo_config(gradient_accumulation_steps=2)).duration.step == 6.0


def test_a_run_of_the_same_work_tells_the_time_and_of_other_work_the_rate(
    workspace: Workspace, demo_config: Callable[..., TrainingConfig]
) -> None:
    config = demo_config(train_batch_size=4, gradient_accumulation_steps=1, resolution=64)
    run = create_run(workspace, "before", resolve(workspace, config))
    writer = JournalWriter(run.journal)
    for step in (1, 2, 3):
        writer.append(p.StepCompleted(step, 0, 0.1, 1e-4, 1.0, 0.5))
    writer.close()
    same = estimate(workspace, config.model_copy(update={"learning_rate": 1e-5})).duration
    assert (same.step, same.source) == (0.5, "measured by run before")
    other = estimate(workspace, config.model_copy(update={"train_batch_size": 8})).duration
    assert other.source == "computed from operations, at the rate of run before"
    assert other.step == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("changes", "setting", "words"),
    [
        ({"train_data_dir": "nowhere"}, "train_data_dir", "There is no folder"),
        ({"gradient_accumulation_steps": 64}, "train_data_dir", "too few"),
        ({"pretrained_model_name_or_path": "owner/name"}, "pretrained_model_name_or_path", "not on this computer"),
        ({"pretrained_model_name_or_path": "nowhere/at/all"}, "pretrained_model_name_or_path", "no base model"),
        ({"pretrained_model_name_or_path": "~nobody-here/model"}, "pretrained_model_name_or_path", "no path"),
        ({"train_data_dir": "zero\0byte"}, "train_data_dir", "no path"),
        ({"train_data_dir": "long" * 2000}, "train_data_dir", "no path"),
        ({"preview_decoder": "~nobody-here/x", "preview_steps": 10}, "preview_decoder", "no path"),
        ({"preview_decoder": "no/where/x", "preview_steps": 10}, "preview_decoder", "no/where/x cannot be used"),
        ({"resume_from_checkpoint": "~nobody-here/x"}, "resume_from_checkpoint", "no path"),
        ({"resume_from_checkpoint": "nowhere"}, "resume_from_checkpoint", "There is no folder"),
        ({"resume_from_checkpoint": "latest"}, "resume_from_checkpoint", "No run here has a checkpoint"),
        ({"run_name": "taken"}, "run_name", "already a run taken"),
        ({"lora_target_modules": ["to_q", "to_x"]}, "lora_target_modules", "no module to_x"),
    ],
)
def test_what_stands_in_the_way_is_told_with_its_setting(
    workspace: Workspace,
    demo_config: Callable[..., TrainingConfig],
    changes: dict[str, object],
    setting: str,
    words: str,
) -> None:
    (workspace.outputs / "taken").mkdir(parents=True)
    found = estimate(workspace, demo_config(**changes))
    assert list(in_the_way(found)) == [setting]
    assert words in in_the_way(found)[setting]


ON_A_MAC: dict[str, dict[str, object]] = {
    "torch_compile": {"torch_compile": True},
    "num_processes": {"num_processes": 2, "gradient_accumulation_steps": 2},
    "lora_dropout": {"lora_dropout": 0.1, "gradient_checkpointing": "full"},
}


@pytest.mark.parametrize("setting", ON_A_MAC)
def test_what_contradicts_the_device_that_auto_becomes_stands_in_the_way_and_leaves_no_run(
    workspace: Workspace, demo_config: Callable[..., TrainingConfig], monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    config = demo_config(**ON_A_MAC[setting])
    assert in_the_way(estimate(workspace, config)) == {}
    monkeypatch.setattr(machine, "machine", lambda **_: machine.apple("Apple M2 Max"))
    found = in_the_way(estimate(workspace, config))
    assert list(found) == [setting]
    assert found[setting].endswith(", or device cpu: auto becomes mps on this machine")
    with pytest.raises(ConfigError, match=f"{setting}.* auto becomes mps on this machine"):
        launch(workspace, config)
    assert list_runs(workspace) == []
    assert in_the_way(estimate(workspace, demo_config(**ON_A_MAC[setting], device="cpu"))) == {}


def test_a_base_model_is_looked_at_once_also_for_the_sake_of_a_preview_decoder(
    workspace: Workspace, demo_config: Callable[..., TrainingConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []
    monkeypatch.setattr(model_source, "check_folder", looked.append)
    found = estimate(workspace, demo_config(preview_decoder="no/where/x", preview_steps=10))
    assert "preview_decoder" in in_the_way(found) and len(looked) == 1


def test_pictures_that_come_and_go_are_noticed(
    workspace: Workspace, demo_config: Callable[..., TrainingConfig]
) -> None:
    config = demo_config(train_data_dir="mine", gradient_accumulation_steps=1, train_batch_size=1)
    assert "train_data_dir" in in_the_way(estimate(workspace, config))
    draw_dataset(workspace.root / "mine", count=24)
    found = estimate(workspace, config)
    assert found.samples is not None
    assert found.samples.training == 16


def test_a_workspace_that_cannot_be_written_is_told(tmp_path: Path, demo_config: Callable[..., TrainingConfig]) -> None:
    workspace = Workspace(tmp_path / "other")
    workspace.root.mkdir()
    workspace.outputs.write_text("a file where a folder should be")
    assert "cannot be written" in in_the_way(estimate(workspace, demo_config()))["train_data_dir"]


def test_compiled_steps_are_not_foretold_from_plain_ones(
    workspace: Workspace, demo_config: Callable[..., TrainingConfig]
) -> None:
    plain = resolve(workspace, demo_config(device="cpu"))
    keep_measurement(workspace, plain, 3.0, peak_memory=0, memory_limit=0)
    larger = estimate(workspace, demo_config(device="cpu", train_batch_size=8)).duration
    compiled = estimate(workspace, demo_config(device="cpu", torch_compile=True)).duration
    assert "the preflight of" in larger.source
    assert "the preflight of" not in compiled.source and not compiled.is_measured


def test_the_cpu_is_assumed_where_it_is_asked_for(
    workspace: Workspace, demo_config: Callable[..., TrainingConfig], driver: Callable[[Path], None]
) -> None:
    driver(Path(__file__))
    assert "NVIDIA" in estimate(workspace, demo_config()).duration.source
    assert "CPU" in estimate(workspace, demo_config(device="cpu")).duration.source


@pytest.mark.parametrize(
    ("lies_at", "limit", "share", "owner"),
    [(Path(__file__), 0, 1, "machine"), (Path("nowhere"), 8 * 2**30, 4, "device")],
    ids=["a driver without a CUDA build of torch", "a GPU whose driver does not show"],
)
def test_what_a_preflight_computed_on_says_more_than_the_file_of_a_driver(
    workspace: Workspace,
    demo_config: Callable[..., TrainingConfig],
    driver: Callable[[Path], None],
    lies_at: Path,
    limit: int,
    share: int,
    owner: str,
) -> None:
    driver(lies_at)
    config = demo_config(gradient_accumulation_steps=4, num_processes=4, max_train_steps=10)
    keep_measurement(workspace, resolve(workspace, config), 8.0, peak_memory=1, memory_limit=limit)
    found = estimate(workspace, config)
    assert found.duration.step == 8.0 / share
    assert found.memory.limit_of == owner
    assert found.memory.limit_by.startswith("the preflight of ")
    larger = estimate(workspace, demo_config(mixed_precision="bf16")).duration
    assert ("NVIDIA" in larger.source) == bool(limit)


@pytest.mark.parametrize(("device", "share"), [("auto", 4), ("cpu", 1)])
def test_processes_share_the_steps_where_each_has_a_gpu(
    workspace: Workspace,
    demo_config: Callable[..., TrainingConfig],
    driver: Callable[[Path], None],
    device: str,
    share: int,
) -> None:
    driver(Path(__file__))
    changes = {"device": device, "gradient_accumulation_steps": 4}
    alone = estimate(workspace, demo_config(**changes)).duration
    shared = estimate(workspace, demo_config(**changes, num_processes=4)).duration
    assert shared.training == pytest.approx(alone.training / share)
    assert shared.validation == alone.validation


def test_what_auto_would_become_is_told_with_its_reason_and_estimated(
    workspace: Workspace, demo_config: Callable[..., TrainingConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = demo_config(train_batch_size="auto", gradient_accumulation_steps=24, gradient_checkpointing="auto")
    assert estimate(workspace, demo_config()).chosen.why == ""
    found = estimate(workspace, config)
    assert found.effective_batch == 24
    assert (found.chosen.train_batch_size, found.chosen.gradient_checkpointing) == (24, "none")
    assert found.chosen.why.startswith("auto: about ")
    set_by_hand = demo_config(train_batch_size=24, gradient_accumulation_steps=1, gradient_checkpointing="none")
    by_hand = estimate(workspace, set_by_hand).memory
    assert (by_hand.parts, by_hand.limit) == (found.memory.parts, found.memory.limit)
    monkeypatch.setattr(machine, "memory", lambda: (720 * 2**20, 2**20))
    smaller = estimate(workspace, config)
    assert smaller.chosen.train_batch_size != 24
    assert smaller.memory.parts.total < found.memory.parts.total


def test_the_console_and_the_worker_choose_the_same(
    workspace: Workspace, demo_config: Callable[..., TrainingConfig]
) -> None:
    config = demo_config(train_batch_size="auto", gradient_accumulation_steps=24, gradient_checkpointing="auto")
    device = devices.choose_device("auto")
    assert estimate(workspace, config).chosen == fit(resolve(workspace, config), devices.room(device, 1)).adjustments
