"""What processes agree on, with threads in their place; that real ones do is shown by tests/end_to_end."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import torch
import torch.distributed

from engine.contract.config import TrainingConfig
from engine.contract.errors import DeviceError
from engine.process_group import ALONE, PartedError, ProcessGroup, Word
from tests.engine.threads_as_processes import ThreadsAsProcesses

Act = Callable[[ProcessGroup], Any]


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Callable[[Act, Act], list[Any]]:
    """Lets the main process and another do something at once; returns what came of it, exceptions too."""

    def run(main: Act, other: Act) -> list[Any]:
        threads = ThreadsAsProcesses()
        monkeypatch.setattr(torch.distributed, "all_reduce", threads.all_reduce)
        with ThreadPoolExecutor(2) as pool:
            futures = [pool.submit(act, ProcessGroup(rank, 2)) for rank, act in enumerate((main, other))]
            for future in futures:
                future.add_done_callback(lambda _: threads.leave())
        return [future.exception() or future.result() for future in futures]

    return run


Both = Callable[[Act, Act], list[Any]]


def says(word: Word, step: int = 3) -> Act:
    return lambda group: group.agree(word, step)


def test_one_process_alone_has_nobody_to_ask() -> None:
    assert ProcessGroup.join(TrainingConfig()) == ALONE
    assert ALONE.is_main
    assert ALONE.agree(Word.LESS_MEMORY, 3) is Word.LESS_MEMORY


@pytest.mark.parametrize(
    ("main", "other", "agreed"),
    [
        (Word.GO_ON, Word.GO_ON, Word.GO_ON),
        (Word.GO_ON, Word.LESS_MEMORY, Word.LESS_MEMORY),
        (Word.LESS_MEMORY, Word.LESS_MEMORY, Word.LESS_MEMORY),
        (Word.GO_ON, Word.GO_BACK, Word.GO_BACK),
        (Word.GO_BACK, Word.LESS_MEMORY, Word.GO_BACK),
        (Word.STOP, Word.GO_ON, Word.STOP),
        (Word.STOP, Word.LESS_MEMORY, Word.STOP),
    ],
)
def test_the_greatest_word_holds_for_all(both: Both, main: Word, other: Word, agreed: Word) -> None:
    assert both(says(main), says(other)) == [agreed, agreed]


def test_processes_at_different_steps_part_unless_they_stop_or_go_back(both: Both) -> None:
    assert both(says(Word.STOP, 0), says(Word.GO_ON, 7)) == [Word.STOP, Word.STOP]
    assert both(says(Word.GO_BACK, 6), says(Word.GO_ON, 7)) == [Word.GO_BACK, Word.GO_BACK]
    results = both(says(Word.GO_ON, 8), says(Word.LESS_MEMORY, 7))
    assert [str(result) for result in results] == ["One process is at step 7, another at step 8"] * 2
    assert all(isinstance(result, PartedError) for result in results)


def test_whoever_waits_for_one_that_has_ended_parts(both: Both) -> None:
    def die(_: ProcessGroup) -> None:
        raise SystemError

    waited, _ = both(says(Word.GO_ON), die)
    assert isinstance(waited, PartedError)


def test_sums_are_the_same_everywhere(both: Both) -> None:
    def add(group: ProcessGroup) -> list[float]:
        tensor = torch.tensor([1.0, group.rank])
        group.add_up(tensor)
        return tensor.tolist()

    assert both(add, add) == [[2.0, 1.0], [2.0, 1.0]]


# ---- how they meet ------------------------------------------------------------------------------------------------


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What torch.distributed and CUDA are asked for by a process of rank 1 of 2 on a machine with two GPUs."""
    asked: list[Any] = []
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA Fake 1")
    monkeypatch.setattr(torch.cuda, "set_device", lambda index: asked.append(("set_device", index)))
    monkeypatch.setattr(
        torch.distributed, "init_process_group", lambda backend, timeout: asked.append((backend, timeout))
    )
    return asked


def test_each_process_has_a_gpu_of_its_own_and_words_go_over_the_cpu(joined: list[Any]) -> None:
    group = ProcessGroup.join(TrainingConfig(num_processes=2, device="cuda"))
    assert (group.rank, group.size, group.is_main) == (1, 2, False)
    assert joined[0] == ("set_device", 1)
    backend, timeout = joined[1]
    assert backend == "cpu:gloo,cuda:nccl"
    assert timeout > timedelta(days=30), "a paused run waits"


def test_processes_on_the_cpu_share_it(joined: list[Any]) -> None:
    assert ProcessGroup.join(TrainingConfig(num_processes=2, device="cpu")).size == 2
    assert [backend for backend, _ in joined] == ["cpu:gloo"]


def test_too_few_gpus_are_refused_before_anybody_waits(joined: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(DeviceError, match="2 processes need 2 GPUs") as raised:
        ProcessGroup.join(TrainingConfig(num_processes=2, device="cuda"))
    assert raised.value.why == "This machine has 1: asked for; NVIDIA Fake 1."
    assert raised.value.remedy == "Set num_processes to 1."
    assert joined == []


def test_a_mac_has_one_gpu(joined: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 24 * 2**30)
    with pytest.raises(DeviceError, match="2 processes need 2 GPUs") as raised:
        ProcessGroup.join(TrainingConfig(num_processes=2, device="auto"))
    assert "Apple GPU" in raised.value.why
    assert joined == []
