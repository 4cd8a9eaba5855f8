"""Which adapters a run has, and which one a name or a path means."""

from pathlib import Path

import pytest

from engine.contract.config import TrainingConfig
from engine.contract.errors import RunError
from engine.contract.run_dir import RunDir, Workspace, create_run
from engine.contract.saved_adapters import ADAPTER_FILE, SavedAdapter, find_adapter, saved_adapters


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return create_run(Workspace(tmp_path), "shoes", TrainingConfig())


def save(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / ADAPTER_FILE).touch()
    return folder


def checkpoint(run: RunDir, step: int) -> Path:
    return save(run.checkpoints / f"checkpoint-{step}")


def test_an_export_comes_first_then_checkpoints_from_the_newest(run: RunDir) -> None:
    assert saved_adapters(run) == []
    old, new = checkpoint(run, 900), checkpoint(run, 1000)
    (run.checkpoints / "checkpoint-1100").mkdir()  # removed just now, or not written yet
    assert saved_adapters(run) == [SavedAdapter(new, 1000), SavedAdapter(old, 900)]
    exported = save(run.lora_weights)
    assert saved_adapters(run)[0] == SavedAdapter(exported, None)


@pytest.mark.parametrize("exported", [True, False])
def test_a_run_means_what_it_exported_or_else_its_newest_checkpoint(
    run: RunDir, exported: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint(run, 20)
    expected = checkpoint(run, 100)
    if exported:
        expected = save(run.lora_weights)
    monkeypatch.chdir(run.workspace.root)
    for given in ("shoes", "outputs/shoes", str(run.path)):
        assert find_adapter(run.workspace, given) == expected


def test_a_folder_or_file_with_an_adapter_means_itself(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = checkpoint(run, 20)
    monkeypatch.chdir(run.path)
    assert find_adapter(run.workspace, "checkpoints/checkpoint-20") == folder
    assert find_adapter(run.workspace, f"checkpoints/checkpoint-20/{ADAPTER_FILE}") == folder / ADAPTER_FILE


def test_what_is_not_there_is_told_with_what_is(run: RunDir) -> None:
    with pytest.raises(RunError, match="Run shoes has no adapter yet"):
        find_adapter(run.workspace, "shoes")
    with pytest.raises(RunError, match="There is no adapter in"):
        find_adapter(run.workspace, str(run.workspace.root))
    checkpoint(run, 20)
    with pytest.raises(RunError, match="There is no adapter boots") as caught:
        find_adapter(run.workspace, "boots")
    assert "shoes" in caught.value.remedy
