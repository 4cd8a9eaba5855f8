"""Everything before the first step: what is warned of, what is refused, and that nothing is done twice."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from engine import picture_caching
from engine.contract.config import TrainingConfig
from engine.contract.errors import ConfigError, DataError, DeviceError, ModelError
from engine.contract.protocol import WarningRaised
from engine.contract.run_dir import Workspace
from engine.dataset import Dataset
from engine.demo.drawing import draw_dataset
from engine.preparation import Prepared, prepare

Config = Callable[..., TrainingConfig]


class Told:
    """What preparing reported."""

    def __init__(self) -> None:
        self.warnings: list[WarningRaised] = []
        self.phases: dict[str, list[tuple[int, int]]] = {}

    def phase(self, name: str) -> Callable[[int, int], None]:
        return lambda done, total: self.phases.setdefault(name, []).append((done, total))


def prepared(config: TrainingConfig, workspace: Workspace) -> tuple[Prepared, Told]:
    told = Told()
    return prepare(config, workspace, told.phase, told.warnings.append), told


def refused(config: TrainingConfig, workspace: Workspace) -> str:
    """The text of the refusal."""
    told = Told()
    with pytest.raises(DataError) as raised:
        prepare(config, workspace, told.phase, told.warnings.append)
    return str(raised.value)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Forty shoes that a test may damage."""
    draw_dataset(tmp_path / "data", count=40, resolution=64)
    return tmp_path / "data"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def truncate(data: Path, *ids: str) -> None:
    for identity in ids:
        path = data / "images" / f"{identity}.png"
        path.write_bytes(path.read_bytes()[:200])


def test_all_that_training_needs_is_there(tiny_config: Config, data: Path, workspace: Workspace) -> None:
    ready, told = prepared(tiny_config(train_data_dir=str(data), random_flip=True), workspace)
    summary = ready.summary()
    assert (summary.device, summary.device_reason) == ("cpu", "asked for")
    assert (summary.dtype, summary.dtype_reason) == ("fp32", "exact and safe everywhere")
    assert (summary.train_samples, summary.validation_samples, summary.skipped_samples) == (32, 8, 0)
    assert summary.trainable_parameters == sum(p.numel() for p in ready.parameters) == 9984
    assert told.warnings == []
    assert set(told.phases) == {"loading the base model", "reading pictures", "caching latents", "caching captions"}
    assert all(done[-1][0] == done[-1][1] for done in told.phases.values())
    assert ready.data.stream.latent_shape == (4, 8, 8)
    assert ready.data.stream.size == 32
    assert ready.data.batch(range(64), torch.device("cpu")).latents.isfinite().all()  # flips and captions are cached
    for prompt in ["", *ready.config.validation_prompts]:
        assert ready.data.embeddings.get(prompt).shape == (77, 32)


def test_a_second_run_of_the_same_data_reads_and_encodes_nothing(
    tiny_config: Config, data: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 2**62)  # long after the pictures were drawn
    first, _ = prepared(tiny_config(train_data_dir=str(data)), workspace)
    moved = data.rename(data.with_name("moved"))
    second, told = prepared(tiny_config(train_data_dir=str(moved)), workspace)
    assert set(told.phases) == {"loading the base model"}
    assert second.data.digest() == first.data.digest()


def test_the_auto_device_is_written_into_the_config(tiny_config: Config, data: Path, workspace: Workspace) -> None:
    ready, _ = prepared(tiny_config(train_data_dir=str(data), device="auto"), workspace)
    assert ready.config.device == ready.device.name


# ---- bad data -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [0, 2])
def test_an_unreadable_picture_is_warned_of_and_counted(
    tiny_config: Config, data: Path, workspace: Workspace, threads: int
) -> None:
    truncate(data, "0007")
    captions = json.loads((data / "captions.json").read_text())
    (data / "captions.json").write_text(json.dumps({**captions, "0009": " "}))
    ready, told = prepared(tiny_config(train_data_dir=str(data), dataloader_num_workers=threads), workspace)
    (warning,) = told.warnings
    assert warning.what == "2 of 40 training items are skipped"
    assert "images/0007.png: truncated" in warning.why
    assert "0009.png: caption is empty" in warning.why
    assert ready.summary().skipped_samples == 2
    assert len(ready.data.training) + len(ready.data.validation) == 38
    assert {"0007", "0009"}.isdisjoint(s.id for s, _ in [*ready.data.training, *ready.data.validation])


def test_every_skipped_item_is_named_and_counted_once(
    tiny_config: Config, tiny_workspace: Workspace, tmp_path: Path
) -> None:
    """22 captions of shoes whose pictures have another name, in 480: 44 faults, 22 items."""
    images = tmp_path / "images"
    images.mkdir()
    shoes = sorted((tiny_workspace.root / "data" / "images").iterdir())  # already in the cache
    names = [f"shoe{number:03d}" for number in range(480)]
    for number, name in enumerate(names):
        shutil.copy(shoes[number % len(shoes)], images / f"{name}.png")
    captions = dict.fromkeys([*names[22:], *(f"sandal{number}" for number in range(22))], "red shoes")
    (tmp_path / "captions.json").write_text(json.dumps(captions))
    ready, told = prepared(tiny_config(train_data_dir=str(tmp_path)), tiny_workspace)
    (warning,) = told.warnings
    assert warning.what == "22 of 480 training items are skipped"
    assert warning.why.count("picture is missing") == warning.why.count("has no caption") == 22
    assert ready.summary().skipped_samples == 22


def test_too_many_bad_items_are_refused_with_every_reason_at_once(
    tiny_config: Config, data: Path, workspace: Workspace
) -> None:
    """Structural faults alone would already be too many; the pictures that do not decode are told with them."""
    truncate(data, "0007")
    (data / "images" / "0008.png").write_text("no picture")
    (data / "images" / "0009.png").unlink()
    captions = json.loads((data / "captions.json").read_text())
    (data / "captions.json").write_text(json.dumps({**captions, "0010": "", "0011": ""}))
    text = refused(tiny_config(train_data_dir=str(data)), workspace)
    assert "5 of 40 training items cannot be used, more than 5%" in text
    for reason in ("0007.png: truncated", "0008.png: not a PNG", "0009: picture is missing",
                   "0010.png: caption is empty", "0011.png: caption is empty"):  # fmt: skip
        assert reason in text


def test_undecodable_pictures_alone_are_refused_too(tiny_config: Config, data: Path, workspace: Workspace) -> None:
    truncate(data, "0001", "0002", "0003")
    text = refused(tiny_config(train_data_dir=str(data)), workspace)
    assert "3 of 40 training items cannot be used" in text
    assert text.count("truncated") == 3


def test_too_many_bad_pictures_are_refused_before_all_good_ones_are_encoded(
    tiny_config: Config, data: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Encoding waits at its first picture until the others are checked, as if it took as long as with SD 1.5."""
    truncate(data, "0038", "0039", "0040")
    told = Told()
    checks: list[Future[Dataset]] = []

    @contextmanager
    def beside(*args: Any) -> Iterator[Future[Dataset]]:
        with checked_beside(*args) as check:
            checks.append(check)
            yield check

    def phase(name: str) -> Callable[[int, int], None]:
        report = told.phase(name)

        def progress(done: int, total: int) -> None:
            report(done, total)
            if name == "caching latents":
                wait(checks)

        return progress

    checked_beside = picture_caching._checked_beside
    monkeypatch.setattr(picture_caching, "_checked_beside", beside)
    config = tiny_config(train_data_dir=str(data), dataloader_num_workers=2)
    with pytest.raises(DataError, match="3 of 40 training items cannot be used"):
        prepare(config, workspace, phase, told.warnings.append)
    assert told.phases.get("caching latents", [(0, 40)]) == [(0, 40)]


def test_too_few_pictures_are_refused_before_the_model_is_loaded(
    tiny_config: Config, data: Path, workspace: Workspace
) -> None:
    told = Told()
    config = tiny_config(train_data_dir=str(data), train_batch_size=33, gradient_accumulation_steps=1)
    with pytest.raises(DataError, match="40 usable pictures are too few") as raised:
        prepare(config, workspace, told.phase, told.warnings.append)
    assert "8 are held out" in raised.value.why
    assert "one effective batch of 33" in raised.value.why
    assert "loading the base model" not in told.phases
    ready, _ = prepared(config.model_copy(update={"train_batch_size": 32}), workspace)
    assert len(ready.data.training) == 32


def test_a_torn_cache_file_is_warned_of_and_computed_anew(
    tiny_config: Config, data: Path, workspace: Workspace
) -> None:
    first, told = prepared(tiny_config(train_data_dir=str(data)), workspace)
    assert told.warnings == []
    before = first.data.batch(range(32), torch.device("cpu"))
    latents, embeddings = sorted(workspace.cache.glob("latents-*/*")), sorted(workspace.cache.glob("embeddings-*/*"))
    for torn in (latents[0], embeddings[0]):
        torn.write_bytes(torn.read_bytes()[:-1])
    second, told = prepared(tiny_config(train_data_dir=str(data)), workspace)
    (warning,) = told.warnings
    assert warning.what == "2 cache files were damaged"
    assert latents[0].name in warning.why and embeddings[0].name in warning.why
    assert "computed anew" in warning.remedy
    assert {"caching latents", "caching captions"} <= set(told.phases)
    after = second.data.batch(range(32), torch.device("cpu"))
    assert torch.equal(before.latents, after.latents) and torch.equal(before.embeddings, after.embeddings)
    assert prepared(tiny_config(train_data_dir=str(data)), workspace)[1].warnings == []


def test_a_folder_that_is_not_there_is_refused(tiny_config: Config, tmp_path: Path, workspace: Workspace) -> None:
    assert "There is no folder" in refused(tiny_config(train_data_dir=str(tmp_path / "nowhere")), workspace)


def test_a_picture_replaced_by_a_bad_one_is_noticed_in_a_second_run(
    tiny_config: Config, data: Path, workspace: Workspace
) -> None:
    prepared(tiny_config(train_data_dir=str(data)), workspace)
    truncate(data, "0005")
    ready, told = prepared(tiny_config(train_data_dir=str(data)), workspace)
    assert ready.data.skipped == 1
    assert "0005.png: truncated" in told.warnings[0].why


# ---- other refusals -----------------------------------------------------------------------------------------------


@pytest.fixture
def pretend_mps(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch claims to have an Apple GPU; whatever is to be refused must be so before it is used."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 2**34)


@pytest.mark.usefixtures("pretend_mps")
@pytest.mark.parametrize("asked", ["mps", "auto"])
def test_a_batch_that_mps_computes_wrongly_is_refused(tiny_config: Config, workspace: Workspace, asked: str) -> None:
    config = tiny_config(device=asked, resolution=512, train_batch_size=9)
    with pytest.raises(DeviceError, match="train_batch_size 9 is too large for mps at 512 px") as raised:
        prepared(config, workspace)
    assert "177116" in raised.value.why
    assert "Set train_batch_size to 8 or less" in raised.value.remedy


@pytest.mark.usefixtures("pretend_mps")
@pytest.mark.parametrize("mode", ["attention", "full"])
def test_dropout_with_checkpointing_is_refused_once_auto_has_become_mps(
    tiny_config: Config, workspace: Workspace, mode: str
) -> None:
    config = tiny_config(device="auto", lora_dropout=0.1, gradient_checkpointing=mode)
    with pytest.raises(ConfigError, match=r"lora_dropout 0\.1 with gradient_checkpointing") as raised:
        prepared(config, workspace)
    assert "194478" in str(raised.value)


@pytest.mark.parametrize("mode", ["attention", "full"])
def test_dropout_with_checkpointing_is_allowed_elsewhere(
    tiny_config: Config, tiny_workspace: Workspace, mode: str
) -> None:
    ready, _ = prepared(tiny_config(lora_dropout=0.1, gradient_checkpointing=mode), tiny_workspace)
    assert ready.device.name == "cpu"


def test_a_base_model_that_is_not_there_is_refused(tiny_config: Config, tmp_path: Path, workspace: Workspace) -> None:
    with pytest.raises(ModelError):
        prepared(tiny_config(pretrained_model_name_or_path=str(tmp_path / "nowhere")), workspace)
