"""From a folder of pictures and captions to samples; whatever cannot be used is reported, never dropped in silence."""

import hashlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from engine.captions import IDS_TXT, LAYOUTS, Entry, read_entries
from engine.captions import Problem as Problem
from engine.contract.errors import DataError
from engine.picture import PictureError, open_picture
from engine.picture_folder import PictureFolder, normal_name, refusal
from engine.selection import select

BAD_SHARE_LIMIT = 0.05  # issue 2: a run refuses to start if more of its data is bad
SMALLEST_HELD_OUT = 8  # fewer samples measure nothing
PROBLEMS_SHOWN = 200  # more than a person mends before looking again


@dataclass(frozen=True)
class Sample:
    """One training item. Of several captions one is drawn each time the sample is trained on."""

    id: str
    image: Path
    captions: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    """What can be trained on, in the user's order, and what cannot."""

    samples: tuple[Sample, ...]
    problems: tuple[Problem, ...]

    @property
    def bad(self) -> int:
        """How many items cannot be used.

        A caption without a picture and a picture without a caption are often the two halves of one item, and so the
        smaller number of them does not count.
        """
        halves = Counter(problem.lacks for problem in self.problems)
        return halves[None] + max(halves["picture"], halves["caption"])

    @property
    def total(self) -> int:
        """All items, good or bad."""
        return len(self.samples) + self.bad


def read_dataset(folder: Path) -> Dataset:
    """All samples of a folder in one of the accepted layouts; no picture is opened.

    Raises DataError if there is no folder, no captions, or a captions file that cannot be understood as a whole.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}", remedy=f"Give train_data_dir a folder with {LAYOUTS}.")
    try:
        pictures = PictureFolder(folder)
    except OSError as error:
        raise DataError(f"Cannot list {error.filename}", str(error.strerror), "Check its permissions.") from error
    items = list(read_entries(folder, pictures.home))
    problems = [item for item in items if isinstance(item, Problem)]
    entries = [item for item in items if isinstance(item, Entry)]
    spelled = pictures.spelled(entry.picture for entry in entries)
    has_ids = (folder / IDS_TXT).exists()
    if has_ids:
        entries, unknown = select(entries, folder / IDS_TXT, pictures)
        problems += unknown
    samples, unusable, found = _match(entries, pictures, spelled)
    problems += unusable
    if not has_ids:  # what ids.txt leaves out is left out on purpose
        unnamed = sorted(pictures.listed() - found)
        problems += [
            Problem(str(path.relative_to(folder)), refusal(path) or "has no caption", "caption") for path in unnamed
        ]
    return Dataset(tuple(samples), tuple(problems))


def check_pictures(
    dataset: Dataset, threads: int, skip: Callable[[Sample], bool], progress: Callable[[int, int], None]
) -> Dataset:
    """Decode every picture but those that `skip` knows to be good; the unreadable ones become problems.

    With 0 threads the pictures are decoded in this one. `progress(done, total)` is called in this thread after each
    picture; if it raises, no further picture is begun and its exception passes.
    """
    samples = [sample for sample in dataset.samples if not skip(sample)]
    reasons: dict[Sample, str] = {}
    if threads == 0:
        for done, sample in enumerate(samples, 1):
            reasons[sample] = _unreadable(sample)
            progress(done, len(samples))
    else:
        with ThreadPoolExecutor(threads) as pool:
            futures = {pool.submit(_unreadable, sample): sample for sample in samples}
            try:
                for done, future in enumerate(as_completed(futures), 1):
                    reasons[futures[future]] = future.result()
                    progress(done, len(samples))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    good = tuple(sample for sample in dataset.samples if not reasons.get(sample))
    bad = tuple(
        Problem(f"{sample.image.parent.name}/{sample.image.name}", reasons[sample])
        for sample in dataset.samples
        if reasons.get(sample)
    )
    return Dataset(good, dataset.problems + bad)


def require_usable(dataset: Dataset, effective_batch_size: int, held_out: int) -> None:
    """Raises DataError, listing the problems, if more than 5 % is bad or less than one effective batch remains."""
    good = len(dataset.samples)
    listed = "\n  - ".join(["These are left out:", *problem_lines(dataset)])
    if dataset.bad > BAD_SHARE_LIMIT * dataset.total:
        raise DataError(
            f"{dataset.bad} of {dataset.total} training items cannot be used, more than {BAD_SHARE_LIMIT:.0%}",
            listed,
            f"Mend or remove what is listed. Accepted are PNG, JPEG, WEBP and BMP pictures with {LAYOUTS}.",
        )
    if good - held_out < effective_batch_size:
        why = f"{min(good, held_out)} are held out for validation, and the other {max(0, good - held_out)} do not fill"
        raise DataError(
            f"{good} usable pictures are too few",
            f"{why} one effective batch of {effective_batch_size}." + (f"\n{listed}" if dataset.problems else ""),
            "Add pictures, or lower train_batch_size or gradient_accumulation_steps.",
        )


def problem_lines(dataset: Dataset) -> list[str]:
    """File and reason of each problem; of very many, the first 200 and the number of the others."""
    lines = [f"{problem.file}: {problem.reason}" for problem in dataset.problems[:PROBLEMS_SHOWN]]
    rest = len(dataset.problems) - len(lines)
    return [*lines, f"and {rest} more"] if rest else lines


def held_out_count(total: int, share: float) -> int:
    """How many of `total` samples measure the validation loss: their share, but at least 8."""
    return min(total, max(SMALLEST_HELD_OUT, round(total * share)))


def split(dataset: Dataset, share: float, seed: int) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Training and validation samples, each in the data set's order.

    Which sample is held out depends on the seed and the ids alone, not on their order.
    """

    def rank(sample: Sample) -> bytes:
        return hashlib.sha256(f"{seed}:{sample.id}".encode(errors="surrogatepass")).digest()

    count = held_out_count(len(dataset.samples), share)
    held_out = set(sorted(dataset.samples, key=rank)[:count])
    training = tuple(sample for sample in dataset.samples if sample not in held_out)
    return training, tuple(sample for sample in dataset.samples if sample in held_out)


def _match(
    entries: list[Entry], pictures: PictureFolder, spelled: set[Path]
) -> tuple[list[Sample], list[Problem], set[Path]]:
    """Samples, problems, and every picture that an entry named, usable or not.

    Several rows with the same id and picture make one sample with all their captions.
    """
    samples: dict[str, Sample] = {}
    problems: list[Problem] = []
    owners: dict[Path, str] = {}
    images: dict[str, Path] = {}
    for entry in entries:
        identity = normal_name(entry.id)
        try:
            image = pictures.find(entry.picture, spelled)
        except PictureError as error:
            problems.append(Problem(entry.picture, error.what, "picture"))
            continue
        try:
            owner = owners.setdefault(image, identity)
            if images.setdefault(identity, image) != image:
                raise DataError(f"duplicate id {entry.id}")
            if owner != identity:  # it could be trained on and held out at the same time
                raise DataError(f"duplicate: {entry.id} and {owner} are the same picture")
            if refused := refusal(image):
                raise DataError(refused)
            captions = _captions(entry.captions)
        except DataError as error:
            problems.append(Problem(str(image.relative_to(pictures.folder)), error.what))
            continue
        sample = samples.setdefault(identity, Sample(entry.id, image, ()))
        samples[identity] = replace(sample, captions=sample.captions + captions)
    return list(samples.values()), problems, set(owners)


def _captions(written: object) -> tuple[str, ...]:
    """What stood in the caption's place as texts. Raises DataError with the reason if that cannot be."""
    if written is None or written == []:
        raise DataError("has no caption")
    captions = []
    for text in written if isinstance(written, list) else [written]:
        if not isinstance(text, str):
            raise DataError(f"caption is not text but {text!r:.40}")
        if not text.strip():
            raise DataError("caption is empty")
        captions.append(text.strip())
    return tuple(captions)


def _unreadable(sample: Sample) -> str:
    """Why a picture cannot be decoded; empty if it can."""
    try:
        open_picture(sample.image)
    except PictureError as error:
        return error.what
    return ""
