"""data.json: which pictures and captions a run began with, so that a change between stop and resume is named."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from engine.contract.atomic_file import write_atomically
from engine.contract.errors import DataError
from engine.contract.protocol import WarningRaised
from engine.dataset import Sample
from engine.inbox import Emit

MOST_NAMED = 20  # a screenful


def require_same_data(path: Path, samples: Iterable[tuple[Sample, str]], allow_changes: bool, emit: Emit) -> None:
    """Remember the data at the first start, compare at every other one.

    Raises DataError naming what was added, removed or changed, unless changes are allowed; then they are remembered.
    """
    now = {sample.id: _identity(sample, digest) for sample, digest in samples}
    before = _read(path)
    changes = _differences(before, now) if before is not None else []
    if changes:
        told = "; ".join(changes[:MOST_NAMED]) + (
            f"; and {len(changes) - MOST_NAMED} more" if changes[MOST_NAMED:] else ""
        )
        what = f"The data set is not the one that the run began with: {len(changes)} differences"
        if not allow_changes:
            raise DataError(
                what, f"{told}.", "Put it back as it was, or go on with it: `shoelora-tui resume --allow-changed-data`."
            )
        emit(WarningRaised(what, f"{told}.", "It was allowed; the run can no longer be repeated exactly."), None)
    if before is None or changes:
        write_atomically(path, json.dumps(now, indent=0) + "\n")


def _identity(sample: Sample, digest: str) -> str:
    captions = hashlib.sha256("\n".join(sample.captions).encode()).hexdigest()
    return f"{digest[:32]}-{captions[:16]}"


def _read(path: Path) -> dict[str, str] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DataError(f"{path} is damaged", str(error), "Delete it; the data set is then taken as it is.") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} is damaged", "It holds no JSON object.", "Delete it.")
    return content


def _differences(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """One text for each sample that is not the same."""
    gone = [f"{name} is gone" for name in before if name not in now]
    new = [f"{name} is new" for name in now if name not in before]
    changed = [
        f"{name} has {'another picture' if _picture(before[name]) != _picture(now[name]) else 'another caption'}"
        for name in now
        if name in before and before[name] != now[name]
    ]
    order = ["the order of the samples"] if not gone and not new and list(before) != list(now) else []
    return gone + changed + new + order


def _picture(identity: object) -> str:
    return str(identity).partition("-")[0]
