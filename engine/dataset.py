"""From a folder of pictures and captions to samples; whatever cannot be used is reported, never dropped in silence."""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from engine.captions import IDS_TXT, LAYOUTS, Entry, read_entries, read_ids
from engine.captions import Problem as Problem
from engine.contract.errors import DataError
from engine.picture import PictureError, open_picture
from engine.picture_folder import PictureFolder, bare_name, normal_name

BAD_SHARE_LIMIT = 0.05  # issue 2: a run refuses to start if more of its data is bad
SMALLEST_HELD_OUT = 8  # fewer samples measure nothing
PROBLEMS_SHOWN = 20  # a screenful


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
    has_ids = (folder / IDS_TXT).exists()
    if has_ids:
        entries, unknown = _select(entries, read_ids(folder / IDS_TXT), pictures)
        problems += unknown
    samples, unusable, found = _match(entries, pictures)
    problems += unusable
    if not has_ids:  # what ids.txt leaves out is left out on purpose
        unnamed = sorted(pictures.listed() - found)
        problems += [Problem(str(path.relative_to(folder)), "has no caption") for path in unnamed]
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
    good, bad = len(dataset.samples), len(dataset.problems)
    if bad > BAD_SHARE_LIMIT * (good + bad):
        raise DataError(
            f"{bad} of {good + bad} training items cannot be used, more than {BAD_SHARE_LIMIT:.0%}",
            _listed(dataset.problems),
            f"Mend or remove what is listed. Accepted are PNG, JPEG, WEBP and BMP pictures with {LAYOUTS}.",
        )
    if good - held_out < effective_batch_size:
        why = f"{min(good, held_out)} are held out for validation, and the other {max(0, good - held_out)} do not fill"
        raise DataError(
            f"{good} usable pictures are too few",
            f"{why} one effective batch of {effective_batch_size}." + (f"\n{_listed(dataset.problems)}" if bad else ""),
            "Add pictures, or lower train_batch_size or gradient_accumulation_steps.",
        )


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


def _select(entries: list[Entry], ids: list[str], pictures: PictureFolder) -> tuple[list[Entry], list[Problem]]:
    """The entries that ids.txt lists, in its order, and the ids that are nowhere."""
    known: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        for name in {normal_name(entry.id), bare_name(entry.id), normal_name(entry.picture), bare_name(entry.picture)}:
            known[name].append(entry)
    selected: list[Entry] = []
    problems: list[Problem] = []
    for identity in ids:
        matches = known.get(normal_name(identity)) or known.get(bare_name(identity)) or []
        meant = sorted({entry.id for entry in matches})
        if len(meant) == 1:
            selected += matches
        else:
            why = f"may mean any of {', '.join(meant)}" if meant else _whereabouts(identity, pictures)
            problems.append(Problem(identity, f"listed in {IDS_TXT}, but {why}"))
    return selected, problems


def _whereabouts(identity: str, pictures: PictureFolder) -> str:
    try:
        pictures.find(identity)
    except PictureError:
        return "neither a caption nor a picture has this id"
    return "it has no caption"


def _match(entries: list[Entry], pictures: PictureFolder) -> tuple[list[Sample], list[Problem], set[Path]]:
    """Samples, problems, and every picture that an entry named, usable or not."""
    samples: list[Sample] = []
    problems: list[Problem] = []
    owners: dict[Path, str] = {}
    ids: set[str] = set()
    for entry in entries:
        name, identity = entry.picture, normal_name(entry.id)
        try:
            image = pictures.find(entry.picture)
            name = str(image.relative_to(pictures.folder))
            owner = owners.setdefault(image, entry.id)
            pictures.require_inside(image)
            if identity in ids:
                raise DataError(f"duplicate id {entry.id}")
            ids.add(identity)
            if owner != entry.id:  # it could be trained on and held out at the same time
                raise DataError(f"duplicate: {entry.id} and {owner} are the same picture")
            samples.append(Sample(entry.id, image, _captions(entry.captions)))
        except DataError as error:
            problems.append(Problem(name, error.what))
    return samples, problems, set(owners)


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


def _listed(problems: tuple[Problem, ...]) -> str:
    lines = [f"  - {problem.file}: {problem.reason}" for problem in problems[:PROBLEMS_SHOWN]]
    if len(problems) > PROBLEMS_SHOWN:
        lines.append(f"  ... and {len(problems) - PROBLEMS_SHOWN} more")
    return "\n".join(["These are left out:", *lines])
