"""How a run and its files are named on a command line typed where the user stands."""

import shlex
from pathlib import Path

from engine.contract.run_dir import RunDir


def reference(run: RunDir) -> str:
    """The run's name, or its path if it belongs to another workspace than the present folder; as a shell takes it."""
    return shlex.quote(run.name if run.workspace.root.resolve() == Path.cwd() else str(run.path))


def short_path(path: Path) -> str:
    """A path without the present folder, if it lies in there."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
