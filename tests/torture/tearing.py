"""What a power cut leaves of files that were being written."""

import json
import random
from collections.abc import Callable
from pathlib import Path

from tests.torture.trial import Trial

Tear = Callable[[Trial], None]


def tear_files(trial: Trial) -> None:
    """One to three kinds of damage, as the seed decides."""
    for tear in trial.random.sample(TEARS, trial.random.randint(1, 3)):
        trial.deeds.append(tear.__name__)
        tear(trial)


def tear_journal(trial: Trial) -> None:
    """The last line ends early."""
    data = trial.run.journal.read_bytes()
    last = len(data) - (data.rstrip(b"\n").rfind(b"\n") + 1)
    _shorten(trial.run.journal, trial.random.randint(1, last))
    trial.reread()


def pad_journal(trial: Trial) -> None:
    """The file has its length already, but the disk not yet its data: zeros, as journaling file systems leave them."""
    with trial.run.journal.open("ab") as file:
        file.write(bytes(trial.random.randint(1, 300)))


def tear_cache(trial: Trial) -> None:
    """The newest cache file ends early, or is empty."""
    if files := sorted(trial.workspace.cache.rglob("*.records"), key=lambda file: file.stat().st_mtime):
        _shorten(files[-1], trial.random.randint(1, files[-1].stat().st_size))


def flip_byte(trial: Trial) -> None:
    """One bit of one file of the newest checkpoint."""
    if file := _file_of_newest_checkpoint(trial):
        data = bytearray(file.read_bytes())
        data[trial.random.randrange(len(data))] ^= 1 << trial.random.randrange(8)
        file.write_bytes(data)


def tear_checkpoint(trial: Trial) -> None:
    """One file of the newest checkpoint ends early."""
    if file := _file_of_newest_checkpoint(trial):
        _shorten(file, trial.random.randint(1, file.stat().st_size))


def leave_half_a_checkpoint(trial: Trial) -> None:
    """A temporary folder, as an interrupted save leaves it."""
    step = trial.random.choice([3, 6, 9, 12])
    half = trial.run.checkpoints / f".checkpoint-{step}.{_dead_pid(trial.random)}.new"
    half.mkdir(parents=True)
    (half / "adapter_model.safetensors").write_bytes(trial.random.randbytes(1000))


def tear_control(trial: Trial) -> None:
    """The socket's address, cut off or nonsense."""
    trial.run.control.write_text(trial.random.choice(["", '{"socket": "/tm', json.dumps([1, 2])]))


TEARS: list[Tear] = [
    tear_journal, pad_journal, tear_cache, flip_byte, tear_checkpoint, leave_half_a_checkpoint, tear_control,
]  # fmt: skip


def _shorten(file: Path, by: int) -> None:
    with file.open("r+b") as opened:
        opened.truncate(max(0, file.stat().st_size - by))


def _file_of_newest_checkpoint(trial: Trial) -> Path | None:
    checkpoints = sorted(trial.run.checkpoints.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    if not checkpoints:
        return None
    trial.torn.add(checkpoints[-1])
    return trial.random.choice(sorted(checkpoints[-1].iterdir()))


def _dead_pid(rng: random.Random) -> int:
    """An id that no process has: beyond what systems give out."""
    return rng.randint(5_000_000, 9_000_000)
