"""Estimates a run beside the form, in a thread; of settings that change faster than it answers, the newest count."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from engine import control
from engine.contract.config import TrainingConfig
from engine.contract.run_dir import Workspace
from tui.wording import unforeseen


@dataclass(frozen=True)
class Estimated:
    """The estimate of a config, or why there is none."""

    config: TrainingConfig
    estimate: control.Estimate | None
    fault: str = ""


class Estimator:
    """`deliver` is called in the thread. `lock` keeps it from what else reads or draws the data set meanwhile."""

    def __init__(self, workspace: Workspace, deliver: Callable[[Estimated], object]) -> None:
        self._workspace = workspace
        self._deliver = deliver
        self._state = threading.Lock()
        self._wanted: TrainingConfig | None = None
        self._at_work = False
        self.lock = threading.Lock()

    def ask(self, config: TrainingConfig) -> None:
        """Estimate this config as soon as the one under way is done; returns at once."""
        with self._state:
            self._wanted = config
            if self._at_work:
                return
            self._at_work = True
        threading.Thread(target=self._work, daemon=True).start()

    def estimate(self, config: TrainingConfig) -> control.Estimate:
        """Estimate in the caller's thread. Raises OSError if the workspace cannot be read."""
        with self.lock:
            return control.estimate(self._workspace, config)

    def _work(self) -> None:
        while True:
            with self._state:
                config, self._wanted = self._wanted, None
                if config is None:
                    self._at_work = False
                    return
            try:
                estimated = Estimated(config, self.estimate(config))
            except OSError as error:
                estimated = Estimated(config, None, f"{error.strerror}: {error.filename}")
            except Exception as error:  # what nobody foresaw is told, and must not end all estimates
                estimated = Estimated(config, None, f"The estimate failed: {unforeseen(error)}")
            self._deliver(estimated)
