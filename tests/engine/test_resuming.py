"""What workers that were killed left in a run is cleared away before the next one begins."""

from pathlib import Path

from engine.contract.run_dir import RunDir
from engine.resuming import remove_leftovers


def test_leftovers_go_and_a_checkpoint_that_was_being_replaced_comes_back(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    for name in (".checkpoint-3.17.new", ".checkpoint-6.removed", ".checkpoint-9.17.old", ".checkpoint-12.17.old"):
        (run.checkpoints / name).mkdir(parents=True)
    (run.checkpoints / "checkpoint-12").mkdir()
    run.validation.mkdir()
    for path in (run.validation / "image.tmp", tmp_path / ".data.json.17.tmp", tmp_path / ".adjustments.json.17.tmp"):
        path.write_text("half")
    remove_leftovers(run)
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["checkpoint-12", "checkpoint-9"]
    assert [path.name for path in tmp_path.rglob("*.tmp")] == []
