"""Pictures as the gallery shows them: sheets in order, each with the same prompts; from a run, or drawn on request."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.contract.errors import ShoeloraError
from engine.contract.generated import GeneratedPicture, read_list
from engine.contract.protocol import Record, RunResumed, ValidationImageSaved
from engine.contract.run_dir import RunDir

PICTURE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})


@dataclass(frozen=True)
class Photo:
    """A picture and what is known of how it was made."""

    path: Path
    prompt: str = ""
    seed: int | None = None
    details: str = ""


@dataclass(frozen=True)
class Sheet:
    """Pictures that were made together, by their place; None stands for one that is still to come."""

    name: str  # by which it is recognised when there are more
    title: str
    photos: tuple[Photo | None, ...]
    is_base: bool = False  # whether the base model drew it, without an adapter


class ValidationAlbum:
    """The validation images of a run, a sheet for each step, and one for its previews, from its records."""

    def __init__(self, run: RunDir, expected: int) -> None:
        self._folder = run.path
        self._expected = expected  # pictures of each validation
        # by step and whether they are previews, then by place
        self._saved: dict[tuple[int, bool], dict[int, ValidationImageSaved]] = {}

    def apply(self, records: Iterable[Record]) -> bool:
        """Take records into account. Returns whether there are other pictures now, or one was drawn anew."""
        changed = False
        for record in records:
            match record.event:
                case ValidationImageSaved() as image:
                    self._saved.setdefault((image.step, image.preview), {})[image.index] = image
                    changed = True
                case RunResumed(from_step=kept):
                    self._saved = {key: images for key, images in self._saved.items() if key[0] <= kept}
                    changed = True
                case _:
                    pass
        return changed

    def sheets(self) -> list[Sheet]:
        """By step. Places are the same on all sheets, so that one prompt stays where it is; previews fill the first."""
        full = [images for (_, preview), images in self._saved.items() if not preview]
        count = max([self._expected, *(index + 1 for images in full for index in images)], default=0)
        sheets = []
        for (step, preview), images in sorted(self._saved.items()):
            places = range(max(images) + 1 if preview else count)
            title, name = (f"step {step}, preview", f"{step} preview") if preview else (f"step {step}", str(step))
            sheets.append(Sheet(name, title, tuple(self._photo(images.get(place)) for place in places), step == 0))
        return sheets

    def _photo(self, image: ValidationImageSaved | None) -> Photo | None:
        return Photo(self._folder / image.path, image.prompt, image.seed) if image else None


def expected_pictures(run: RunDir | None) -> int:
    """How many pictures a validation of the run draws; none if its config.json is damaged, which other screens say."""
    try:
        return run.config().num_validation_images if run else 0
    except ShoeloraError:
        return 0


def generated_sheets(folder: Path) -> list[Sheet]:
    """A sheet for each folder of pictures drawn on request, the newest at the end; reads files, so for a thread."""
    try:
        batches = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    except OSError:
        return []
    sheets = [Sheet(batch.name, batch.name, tuple(_generated(batch))) for batch in batches]
    return [sheet for sheet in sheets if sheet.photos]


def _generated(batch: Path) -> Iterable[Photo]:
    """The pictures of the list, then those that lie beside it unlisted."""
    listed = read_list(batch)
    yield from (Photo(Path(one.file), one.prompt, one.seed, _details(one)) for one in listed)
    known = {Path(one.file).name for one in listed}
    yield from (
        Photo(path)
        for path in sorted(batch.iterdir())
        if path.suffix.lower() in PICTURE_ENDINGS and path.name not in known
    )


def _details(one: GeneratedPicture) -> str:
    adapter = "base model alone" if one.adapter is None else f"adapter {one.adapter} × {one.adapter_weight:g}"
    parts = [f"{one.steps} steps", f"guidance {one.guidance:g}", adapter]
    parts += [f"without: {one.negative_prompt}"] if one.negative_prompt else []
    parts += [f"! {one.fault}"] if one.fault else []
    return ", ".join(parts)


def prompts(sheets: Sequence[Sheet]) -> list[str]:
    """The prompt of each place, as it was asked last."""
    found: dict[int, str] = {}
    for sheet in sheets:
        found |= {place: photo.prompt for place, photo in enumerate(sheet.photos) if photo and photo.prompt}
    return [found.get(place, "") for place in range(max((len(sheet.photos) for sheet in sheets), default=0))]


def newest_images(images: Sequence[ValidationImageSaved], expected: int) -> list[ValidationImageSaved]:
    """The images of the newest validation or preview, by index.

    While it is under way, and where a preview draws none, those of the last validation before stand in for the others,
    up to `expected`.
    """
    if not images:
        return []
    newest, preview = images[-1].step, images[-1].preview
    full = [image for image in images if not image.preview and (image.step < newest or preview)]
    before = max((image.step for image in full), default=newest)
    chosen = {image.index: image for image in full if image.step == before and image.index < expected}
    chosen |= {image.index: image for image in images if (image.step, image.preview) == (newest, preview)}
    return [chosen[index] for index in sorted(chosen)]
