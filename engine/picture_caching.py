"""Encodes the pictures that the cache lacks, while threads look ahead whether too many of them cannot be read."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

from engine import device as devices
from engine.contract.config import TrainingConfig
from engine.dataset import Dataset, Sample, check_pictures
from engine.latent_cache import LatentCache, Progress, changed


def cache_pictures(
    dataset: Dataset,
    digests: Mapping[str, str],
    latents: LatentCache,
    config: TrainingConfig,
    device: devices.Device,
    checked: Callable[[Dataset], None],
    progress: Progress,
) -> Dataset:
    """Returns the samples whose pictures can be read, all of them in the cache; `digests` are by sample id.

    `checked` is told of them once, as soon as they are known, so that it can refuse the rest of the work.
    """
    flips, threads = config.random_flip, config.dataloader_num_workers
    missing = {sample for sample in dataset.samples if not latents.has(digests[sample.id], flips)}
    if not missing:
        checked(dataset)
        return dataset
    pictures = [(sample, digests[sample.id]) for sample in dataset.samples if sample in missing]
    was_told = False

    def tell(readable: Dataset) -> None:
        nonlocal was_told
        if not was_told:
            was_told = True
            checked(readable)

    def report(done: int, total: int) -> None:
        if check.done():
            tell(check.result())
        progress(done, total)

    with _checked_beside(dataset, missing, threads) as check:
        batch = devices.encoding_batch(device, config.resolution)
        unreadable = latents.fill(pictures, flips, threads, device.torch, report, batch)
        readable = check.result()
        tell(readable)
    for sample in readable.samples:
        if reason := unreadable.get(digests[sample.id]):
            raise changed(sample, reason)
    return readable


@contextmanager
def _checked_beside(dataset: Dataset, missing: set[Sample], threads: int) -> Iterator[Future[Dataset]]:
    """What `check_pictures` will find; it ends early if nobody waits for it any more."""
    ended = Event()

    def go_on(_done: int, _total: int) -> None:
        if ended.is_set():
            raise CancelledError

    with ThreadPoolExecutor(1) as beside:
        try:
            yield beside.submit(check_pictures, dataset, threads, lambda sample: sample not in missing, go_on)
        finally:
            ended.set()
