"""The processes that train one run together: who is who, what they agree on, and sums over all of them."""

import os
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum

import torch
import torch.distributed as distributed

from engine import device as devices
from engine.contract.config import TrainingConfig

LONGEST_WAIT = timedelta(days=365)  # a run may be paused for weeks; the death of a process ends every wait at once


class Word(IntEnum):
    """What a process says at a place that all of them come to; the greatest holds for all."""

    GO_ON = 0
    LESS_MEMORY = 1  # the step is to be done again in a smaller way
    GO_BACK = 2  # the same, and from the newest checkpoint: some weights have moved and others have not
    STOP = 3


class PartedError(Exception):
    """The processes cannot go on together: one has ended or is elsewhere. All end, to be started anew."""


class MemoryRanOutElsewhere(MemoryError):  # noqa: N818 (what has happened)
    """Another process has run out of memory, and all have to do what it says."""

    def __init__(self, word: Word) -> None:
        super().__init__("another process of the run ran out of memory")
        self.word = word


@dataclass(frozen=True)
class ProcessGroup:
    """One process alone, unless it has joined others. The one of rank 0 is the main process."""

    rank: int = 0
    size: int = 1

    @classmethod
    def join(cls, config: TrainingConfig) -> "ProcessGroup":
        """Meet the other processes that accelerate's launcher has started. Raises DeviceError if a GPU is missing."""
        if config.num_processes == 1:
            return cls()
        rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        device = devices.choose_device(config.device)
        devices.take_own(device, rank, size)
        distributed.init_process_group(devices.backends(device), timeout=LONGEST_WAIT)
        return cls(rank, size)

    @property
    def is_main(self) -> bool:
        """Whether this process takes the commands, and writes, validates and reports."""
        return self.rank == 0

    def agree(self, word: Word, step: int) -> Word:
        """Wait until every process has said a word; returns the greatest of them.

        Raises PartedError if one has ended, or has not done as many steps as the others, unless that ends now.
        """
        if self.size == 1:
            return word
        said = torch.tensor([word, step, -step])
        self._reduce(said, distributed.ReduceOp.MAX)
        greatest, last, first = said.tolist()
        if greatest < Word.GO_BACK and last != -first:
            raise PartedError(f"One process is at step {-first}, another at step {last}")
        return Word(greatest)

    def add_up(self, tensor: torch.Tensor) -> None:
        """Replace a tensor by the sum over all processes; each gets the same bits. Raises PartedError."""
        self._reduce(tensor, distributed.ReduceOp.SUM)

    def _reduce(self, tensor: torch.Tensor, operation: distributed.ReduceOp.RedOpType) -> None:
        try:
            distributed.all_reduce(tensor, operation)
        except RuntimeError as error:  # gloo and nccl tell of a closed connection so
            raise PartedError(f"Another process has ended: {error}") from error


ALONE = ProcessGroup()
