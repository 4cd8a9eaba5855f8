"""One place for what is to be said of a request for pictures: a hint, how far it is, or how it ended."""

from collections.abc import Sequence
from pathlib import Path

from textual.content import Content
from textual.widgets import Static

from tui.naming import short_path
from tui.sampling_progress import Outcome, SamplingProgress

SIGNS = {"success": "✓", "warning": "!", "error": "✗"}
HINT = "g or Enter draws, Esc leaves a field"


class SampleStatus(Static):
    """One line, and after a failure also why, and what to do."""

    DEFAULT_CSS = """
    SampleStatus {
        height: auto; max-height: 4; padding: 0 1; color: $text-muted;
        &.-success { color: $text-success; }
        &.-warning { color: $text-warning; }
        &.-error { color: $text-error; }
    }
    """

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._words: Content | None = None

    def show(self, progress: SamplingProgress | None, is_stopping: bool, live: Sequence[str]) -> None:
        """What there is to say; `live` are runs that share the memory."""
        if progress is None:
            self._hint(live)
        elif outcome := progress.outcome():
            self._outcome(outcome, short_path(Path(progress.pictures[0].file).parent) if progress.pictures else "")
        else:
            self._say("", ("Stopping: " if is_stopping else "") + progress.line(max(8, self.size.width // 5)))

    def _hint(self, live: Sequence[str]) -> None:
        if live:
            verb = "is" if len(live) == 1 else "are"
            self._say("warning", f"! {', '.join(live)} {verb} live on this device and shares its memory: asks first")
        else:
            self._say("", HINT)

    def _outcome(self, outcome: Outcome, place: str) -> None:
        where = f" in {place}" if place else ""
        parts = [outcome.why, f"→ {outcome.remedy}" if outcome.remedy else ""]
        more = "".join(f"\n{part}" for part in parts if part)
        self._say(outcome.tone, Content.assemble((f"{SIGNS[outcome.tone]} {outcome.what}{where}", "bold"), more))

    def _say(self, tone: str, words: str | Content) -> None:
        """Show other words; does nothing if they are shown already."""
        content = Content(words) if isinstance(words, str) else words
        if content == self._words:
            return
        self._words = content
        for other in SIGNS:
            self.set_class(other == tone, f"-{other}")
        self.update(content)
