"""Checkpoints: whole or not at all, found by their hashes, and refused where they do not fit."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from errno import ENOSPC
from pathlib import Path
from typing import IO, Any

import pytest
import torch

from engine.checkpoint import (
    TrainingState,
    good_checkpoints,
    load_checkpoint,
    require_fit,
    rotate,
    save_checkpoint,
    verify,
)
from engine.contract.config import TrainingConfig
from engine.contract.errors import CheckpointError
from engine.contract.saved_adapters import list_checkpoints

CONFIG = TrainingConfig()
FILES = ["adapter_model.safetensors", "optimizer.safetensors", "progress.json", "manifest.json"]


def state_of(step: int) -> TrainingState:
    generator = torch.Generator().manual_seed(step)
    return TrainingState(
        step=step,
        adapter={"x.lora_A.weight": torch.randn(4, 8, generator=generator), "x.lora_B.weight": torch.zeros(8, 4)},
        optimizer={"x.lora_A.weight.exp_avg": torch.randn(4, 8, generator=generator)},
        schedule={"last_epoch": step, "_last_lr": [1e-4 / 3]},
        scaler={"scale": 65536.0},
        data="digest",
    )  # fmt: skip


def save(folder: Path, *steps: int) -> list[Path]:
    return [save_checkpoint(folder, state_of(step), CONFIG).path for step in steps]


def contents(folder: Path) -> dict[str, bytes]:
    """Everything below a folder, hidden files too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def good_steps(folder: Path) -> list[int]:
    return [verify(found) for found in good_checkpoints(folder) if isinstance(found, Path)]


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x01
    path.write_bytes(data)


def test_what_was_saved_is_loaded_bit_for_bit(tmp_path: Path) -> None:
    state = state_of(7)
    saved = save_checkpoint(tmp_path / "new" / "checkpoints", state, CONFIG)
    assert saved.path == tmp_path / "new" / "checkpoints" / "checkpoint-7"
    assert saved.step == verify(saved.path) == 7
    assert names(saved.path) == set(FILES)
    assert saved.bytes == sum(len(data) for data in contents(saved.path).values())
    assert names(saved.path.parent) == {"checkpoint-7"}
    loaded, config = load_checkpoint(saved.path)
    for mine, yours in ((state.adapter, loaded.adapter), (state.optimizer, loaded.optimizer)):
        assert mine.keys() == yours.keys()
        assert all(torch.equal(tensor, yours[name]) for name, tensor in mine.items())
    assert (loaded.step, loaded.schedule, loaded.scaler, loaded.data) == (7, state.schedule, state.scaler, state.data)
    assert TrainingConfig.model_validate(config) == CONFIG


# ---- damage -------------------------------------------------------------------------------------------------------


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("file", FILES[:3])
@pytest.mark.parametrize("damage", [flip_a_byte, cut_in_half, empty, Path.unlink])
def test_damage_to_any_file_is_found_and_the_checkpoint_before_is_used(
    tmp_path: Path, file: str, damage: Callable[[Path], None]
) -> None:
    _, newest = save(tmp_path, 10, 20)
    damage(newest / file)
    with pytest.raises(CheckpointError, match=r"checkpoint-20 is (damaged|incomplete)") as raised:
        verify(newest)
    assert file in raised.value.why
    with pytest.raises(CheckpointError):
        load_checkpoint(newest)
    error, path = good_checkpoints(tmp_path)
    assert isinstance(error, CheckpointError)
    assert path == tmp_path / "checkpoint-10"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"format": 1, "step": 3, "files": {}}', "\x00\xff"])
def test_a_manifest_that_is_none_is_found(tmp_path: Path, text: str) -> None:
    (path,) = save(tmp_path, 3)
    (path / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(CheckpointError, match="incomplete"):
        verify(path)


@pytest.mark.parametrize("path", ["checkpoint-9", "file"])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError, match="incomplete"):
        verify(tmp_path / path)


def test_a_newer_format_is_refused_by_name(tmp_path: Path) -> None:
    (path,) = save(tmp_path, 3)
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "format": 2}))
    with pytest.raises(CheckpointError, match="has format 2") as raised:
        verify(path)
    assert "format 1" in raised.value.why


def test_what_else_lies_there_does_no_harm(tmp_path: Path) -> None:
    path, other = save(tmp_path, 3, 5)
    (path / "notes.txt").write_text("the best so far")
    (tmp_path / "checkpoint-best").symlink_to(path)
    (tmp_path / "checkpoint-100000").symlink_to(tmp_path / "gone")
    (tmp_path / "checkpoint-4").write_text("a file")
    (tmp_path / "checkpoint-7.bak").mkdir()
    (tmp_path / ".checkpoint-9.tmp").mkdir()
    assert verify(path) == 3
    assert good_steps(tmp_path) == [5, 3]
    assert rotate(tmp_path, 10) == []
    assert good_steps(tmp_path) == [5, 3]
    assert verify(tmp_path / "checkpoint-best") == 3  # for who names it
    assert other.is_dir()


def test_the_order_is_that_of_numbers(tmp_path: Path) -> None:
    save(tmp_path, 900, 1000, 20)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["checkpoint-1000", "checkpoint-900", "checkpoint-20"]
    assert list_checkpoints(tmp_path / "none") == []


# ---- interruption -------------------------------------------------------------------------------------------------


class DiskFull:
    """Lets so many bytes' worth of files be written, and no more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails_at: int) -> None:
        self.calls = 0
        self._fails_at = fails_at
        self._open, self._fsync = Path.open, os.fsync
        monkeypatch.setattr(Path, "open", lambda path, *args, **words: self.open(path, *args, **words))
        monkeypatch.setattr(os, "fsync", self.fsync)

    def _count(self) -> None:
        self.calls += 1
        if self.calls == self._fails_at:
            raise OSError(ENOSPC, "No space left on device")

    def open(self, path: Path, mode: str = "r", *args: Any, **words: Any) -> IO[Any]:
        if "w" in mode:
            self._count()
        return self._open(path, mode, *args, **words)

    def fsync(self, descriptor: int) -> None:
        self._count()
        self._fsync(descriptor)


WRITES = 10  # four files opened and flushed, then the new folder and the one around it


def test_this_many_writes_make_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = DiskFull(monkeypatch, fails_at=-1)
    save(tmp_path, 1)
    assert disk.calls == WRITES


@pytest.mark.parametrize("at", range(1, WRITES))
def test_a_disk_that_fills_up_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    save(tmp_path, 10)
    before = contents(tmp_path)
    with monkeypatch.context() as patch:
        DiskFull(patch, fails_at=at)
        with pytest.raises(OSError, match="No space left"):
            save(tmp_path, 20)
    assert contents(tmp_path) == before
    assert names(tmp_path) == {"checkpoint-10"}
    save(tmp_path, 20)
    assert good_steps(tmp_path) == [20, 10]


def test_a_folder_that_cannot_be_flushed_leaves_only_whole_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, 10)
    with monkeypatch.context() as patch:
        DiskFull(patch, fails_at=WRITES)
        with pytest.raises(OSError, match="No space left"):
            save(tmp_path, 20)
    assert good_steps(tmp_path) == [20, 10]
    assert names(tmp_path) == {"checkpoint-10", "checkpoint-20"}


def test_an_interruption_from_the_keyboard_leaves_nothing_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    save(tmp_path, 10)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            save(tmp_path, 20)
    assert names(tmp_path) == {"checkpoint-10"}


def test_what_a_killed_writer_left_is_no_checkpoint_and_no_obstacle(tmp_path: Path) -> None:
    save(tmp_path, 10)
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    half = tmp_path / f".checkpoint-20.{int(dead.stdout)}.new"
    half.mkdir()
    (half / "adapter_model.safetensors").write_bytes(b"half")
    assert good_steps(tmp_path) == [10]
    save(tmp_path, 20)
    assert names(tmp_path) == {"checkpoint-10", "checkpoint-20"}
    assert good_steps(tmp_path) == [20, 10]


def test_bytes_that_reach_the_disk_changed_are_noticed_before_the_checkpoint_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that lies, played by a write that changes the file when it is flushed."""
    fsync = os.fsync

    def corrupting(descriptor: int) -> None:
        fsync(descriptor)
        for optimizer in tmp_path.glob(".checkpoint-20.*.new/optimizer.safetensors"):
            optimizer.write_bytes(b"rotten")

    save(tmp_path, 10)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", corrupting)
        with pytest.raises(CheckpointError, match="damaged"):
            save(tmp_path, 20)
    assert names(tmp_path) == {"checkpoint-10"}


def test_a_damaged_checkpoint_of_the_same_step_is_replaced(tmp_path: Path) -> None:
    (path,) = save(tmp_path, 10)
    flip_a_byte(path / "adapter_model.safetensors")
    save(tmp_path, 10)
    assert good_steps(tmp_path) == [10]


# ---- rotation -----------------------------------------------------------------------------------------------------


def test_rotation_keeps_the_newest(tmp_path: Path) -> None:
    save(tmp_path, 10, 20, 30, 40)
    assert [path.name for path in rotate(tmp_path, 2)] == ["checkpoint-20", "checkpoint-10"]
    assert names(tmp_path) == {"checkpoint-30", "checkpoint-40"}
    assert rotate(tmp_path, 2) == []


def test_rotation_never_removes_the_newest_good_one(tmp_path: Path) -> None:
    _, _, third, fourth = save(tmp_path, 10, 20, 30, 40)
    flip_a_byte(third / "optimizer.safetensors")
    shutil.rmtree(fourth)
    fourth.mkdir()
    assert [path.name for path in rotate(tmp_path, 1)] == ["checkpoint-30", "checkpoint-10"]
    assert good_steps(tmp_path) == [20]


def test_a_removal_cut_short_leaves_nothing_that_looks_like_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, 10, 20)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        rotate(tmp_path, 1)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["checkpoint-20"]
    assert good_steps(tmp_path) == [20]


# ---- fit ----------------------------------------------------------------------------------------------------------


def refusal(**changes: Any) -> str:
    """Why a checkpoint of the default settings does not fit changed ones; empty if it does."""
    config = TrainingConfig.model_validate({**CONFIG.model_dump(), **changes})
    try:
        require_fit(CONFIG.model_dump(), config, Path("checkpoint-5"))
    except CheckpointError as error:
        assert "checkpoint-5" in error.what
        assert error.remedy
        return error.why
    return ""


@pytest.mark.parametrize(
    "change",
    [
        {"pretrained_model_name_or_path": "other"}, {"prediction_type": "v_prediction"}, {"train_data_dir": "other"},
        {"resolution": 256}, {"random_flip": True}, {"caption_dropout": 0.1}, {"learning_rate": 1e-3},
        {"lr_scheduler": "cosine"}, {"lr_warmup_steps": 5}, {"snr_gamma": 5.0}, {"noise_offset": 0.1},
        {"max_grad_norm": 2.0}, {"adam_beta1": 0.8}, {"adam_beta2": 0.99}, {"adam_weight_decay": 0.0},
        {"adam_epsilon": 1e-6}, {"seed": 43}, {"lora_rank": 4}, {"lora_alpha": 8.0}, {"lora_dropout": 0.1},
        {"lora_target_modules": ["to_q"]}, {"validation_split": 0.1}, {"mixed_precision": "bf16"},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_every_setting_that_decides_the_weights_must_be_the_checkpoints(change: dict[str, Any]) -> None:
    ((name, value),) = change.items()
    assert f"{name}: {getattr(CONFIG, name)!r} in the checkpoint, {value!r} now" in refusal(**change)


def test_all_differences_are_told_at_once() -> None:
    why = refusal(seed=1, lora_rank=2, train_batch_size=4)
    assert all(word in why for word in ("seed: 42", "lora_rank: 8", "effective batch: 16 in the checkpoint, 32 now"))


def test_the_rest_may_change() -> None:
    assert not refusal(
        dataloader_num_workers=1, validation_prompts=["x"], validation_negative_prompt="y", num_validation_images=1,
        validation_steps=2, validation_inference_steps=2, validation_guidance_scale=1.0, checkpointing_steps=1,
        preview_decoder="w", preview_steps=1, checkpoints_total_limit=1, resume_from_checkpoint="z", max_restarts=0,
        device="cpu",
        gradient_checkpointing="full", run_name="other", save_final_pipeline=False,
    )  # fmt: skip


@pytest.mark.parametrize(("size", "count"), [(1, 16), (4, 4), (16, 1)])
def test_the_effective_batch_may_be_split_otherwise(size: int, count: int) -> None:
    assert not refusal(train_batch_size=size, gradient_accumulation_steps=count)


@pytest.mark.parametrize("schedule", ["constant", "constant_with_warmup"])
def test_a_run_may_be_made_longer_where_the_schedule_does_not_depend_on_its_length(schedule: str) -> None:
    saved = CONFIG.model_copy(update={"lr_scheduler": schedule}).model_dump()
    longer = TrainingConfig.model_validate({**saved, "max_train_steps": 9000})
    require_fit(saved, longer, Path("checkpoint-5"))
    saved["lr_scheduler"] = "cosine"
    longer = TrainingConfig.model_validate({**saved, "max_train_steps": 9000})
    with pytest.raises(CheckpointError, match="other settings") as raised:
        require_fit(saved, longer, Path("checkpoint-5"))
    assert raised.value.why == "max_train_steps: 3000 in the checkpoint, 9000 now."


def test_a_checkpoint_fits_the_config_that_it_was_saved_with(tmp_path: Path) -> None:
    (path,) = save(tmp_path, 5)
    require_fit(load_checkpoint(path)[1], CONFIG, path)  # through JSON and back
