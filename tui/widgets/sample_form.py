"""The form for pictures: what to draw, with what, and how; a value that cannot be used is named as it is typed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Input, Label, Select, Static

from tui.picture_request import FIELDS, faults
from tui.picture_sources import PictureSource

LABELS = {
    "prompt": "Prompt", "negative": "Negative", "seed": "Seed", "count": "Pictures", "steps": "Steps",
    "guidance": "Guidance", "weight": "Weight",
}  # fmt: skip
TOOLTIPS = {
    "negative": "The negative prompt: what the pictures should not show.",
    "seed": "Of the first picture; each further one has the next number.",
    "steps": "Denoising steps of DPM++ 2M for each picture.",
    "guidance": "Classifier-free guidance; 1 or less is none.",
    "weight": "How much the adapter counts: 0 not at all, 1 as it was trained, up to 2.",
}


class SampleForm(Vertical):
    """Two lines of text, a choice and five numbers."""

    DEFAULT_CSS = """
    SampleForm {
        height: auto; padding: 0 1;
        Horizontal { height: 1; }
        Label { width: 9; color: $text-muted; }
        Input { width: 1fr; &.-wrong { color: $text-error; text-style: underline; } }
        Select { width: 1fr; }
        #go { margin-left: 1; min-width: 12; }
        #numbers, .numbers { width: auto; height: auto; }
        .numbers Input { width: 5; margin-right: 1; }
        .numbers #seed { width: 12; }
        .numbers Label { width: auto; padding-right: 1; }
        .numbers Label.first { width: 9; padding-right: 0; }
        #faults { display: none; color: $text-error; height: auto; max-height: 2; &.-some { display: block; } }
    }
    """

    @dataclass
    class Left(Message):
        """A value may have changed and is worth keeping."""

        field: str
        value: str

    @dataclass
    class Submitted(Message):
        """Enter was pressed in a field."""

    def __init__(self) -> None:
        super().__init__()
        self._sources: dict[str, PictureSource] = {}

    def compose(self) -> ComposeResult:
        """Rows; the numbers are in two groups, which stand under each other where it is narrow."""
        for field in ("prompt", "negative"):
            with Horizontal():
                yield from self._field(field, first=True)
        with Horizontal():
            yield Label("Adapter")
            yield Select[str]([], id="source", compact=True, allow_blank=True, prompt="looking for adapters …")
            yield Button("Generate", id="go", compact=True, variant="primary")
        with Horizontal(id="numbers"):
            with Horizontal(classes="numbers"):
                for field in ("seed", "count", "steps"):
                    yield from self._field(field, first=field == "seed")
            with Horizontal(classes="numbers"):
                for field in ("guidance", "weight"):
                    yield from self._field(field, first=field == "guidance")
        yield Static(id="faults", markup=False)

    def _field(self, field: str, first: bool) -> ComposeResult:
        yield Label(LABELS[field], classes="first" if first else "")
        yield Input(id=field, compact=True, tooltip=TOOLTIPS.get(field), select_on_focus=False)

    # ---- values ------------------------------------------------------------------------------------------------------

    def typed(self) -> dict[str, str]:
        """The texts by field."""
        return {field: self.query_one(f"#{field}", Input).value for field in FIELDS}

    def fill(self, values: Mapping[str, str]) -> None:
        """Put texts into fields."""
        for field, value in values.items():
            self.query_one(f"#{field}", Input).value = value

    @property
    def source(self) -> PictureSource | None:
        """What was chosen to draw with."""
        value: Any = self.query_one("#source", Select).value
        return self._sources.get(value) if isinstance(value, str) else None

    def offer(self, sources: Sequence[PictureSource], chosen: PictureSource | None) -> None:
        """Offer what there is to draw with."""
        select: Select[str] = self.query_one("#source", Select)
        if list(sources) != list(self._sources.values()):
            self._sources = {source.key: source for source in sources}
            with select.prevent(Select.Changed):  # what is offered first is no choice of the user's
                select.set_options([(source.label, source.key) for source in sources])
        if chosen:
            with select.prevent(Select.Changed):
                select.value = chosen.key
        select.prompt = "choose an adapter or a base model" if sources else "no adapter or base model is here"
        self._offer_weight()

    def find_faults(self) -> dict[str, str]:
        """What is wrong with the values, by field; shown as well."""
        found = faults(self.typed())
        for field in FIELDS:
            self.query_one(f"#{field}", Input).set_class(field in found, "-wrong")
        line = self.query_one("#faults", Static)
        line.set_class(bool(found), "-some")
        line.update("\n".join(f"✗ {LABELS[field]}: {fault}" for field, fault in found.items()))
        return found

    def show_busy(self, is_busy: bool) -> None:
        """The button stops what it began."""
        button = self.query_one("#go", Button)
        button.label, button.variant = ("Stop", "warning") if is_busy else ("Generate", "primary")

    # ---- what the user does ------------------------------------------------------------------------------------------

    def on_input_changed(self, event: Input.Changed) -> None:
        """Judge what is typed."""
        event.stop()
        self.find_faults()

    def on_input_blurred(self, event: Input.Blurred) -> None:
        """Tell what was left in the field."""
        event.stop()
        self.post_message(self.Left(event.input.id or "", event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter means: draw."""
        event.stop()
        self.post_message(self.Submitted())

    def on_select_changed(self, event: Select.Changed) -> None:
        """Tell what was chosen."""
        event.stop()
        self._offer_weight()
        if source := self.source:
            self.post_message(self.Left("source", source.key))

    def _offer_weight(self) -> None:
        """A base model alone has no weight to set."""
        self.query_one("#weight", Input).disabled = self.source is None or self.source.adapter is None
