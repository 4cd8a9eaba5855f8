"""What a person must not miss: how the run ended, or else the newest warning; each with what to do."""

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from engine.contract.run_state import RunState
from tui.actions.monitor import action
from tui.run_view import RunView
from tui.widgets.action_button import ActionButton
from tui.wording import unreadable


@dataclass(frozen=True)
class Message:
    """What happened, why, and what to do."""

    tone: str  # the class of its colours: success, warning or error
    sign: str
    what: str
    why: str
    remedy: str


class Notice(Horizontal):
    """A box that is there only when there is something to say."""

    DEFAULT_CSS = """
    Notice { height: auto; max-height: 5; padding: 0 1; display: none; }
    Notice.-success { display: block; background: $success-muted; }
    Notice.-warning { display: block; background: $warning-muted; }
    Notice.-error { display: block; background: $error-muted; }
    Notice > Static { width: 1fr; height: auto; max-height: 5; }
    Notice > ActionButton { display: none; }
    Notice.-warning > ActionButton { display: block; }
    """

    def __init__(self, view: RunView, results: str, resume: str, id: str | None = None) -> None:
        super().__init__(id=id)
        self._view = view
        self._results = results
        self._resume = resume
        self._shown: Message | None = None
        self._dismissed = 0  # warnings that were hidden

    def compose(self) -> ComposeResult:
        """The text, and the button that hides a warning."""
        yield Static()
        yield ActionButton(action("dismiss"))

    def show(self) -> None:
        """Show what the view holds now; does nothing if that is shown already."""
        message = ending(self._view, self._results, self._resume) or self._newest_warning()
        if message == self._shown:
            return
        self._shown = message
        for tone in ("success", "warning", "error"):
            self.set_class(message is not None and message.tone == tone, f"-{tone}")
        if message:
            self.query_one(Static).update(_content(message))

    def dismiss(self) -> None:
        """Hide the warnings so far."""
        self._dismissed = len(self._view.warnings)
        self.show()

    def _newest_warning(self) -> Message | None:
        warnings = self._view.warnings
        if len(warnings) <= self._dismissed:
            return None
        newest, count = warnings[-1], len(warnings)
        return Message(
            "warning", "!" if count == 1 else f"! {count} warnings, newest:", newest.what, newest.why, newest.remedy
        )


def ending(view: RunView, results: str, resume: str) -> Message | None:
    """What to say of a run that has ended; `results` is where its adapter is, `resume` the command that goes on."""
    come_on = f"{action('resume').signs[0]} goes on, as does `{resume}`."
    match view.state:
        case RunState.FINISHED:
            return Message("success", "✓", f"Finished at step {view.step}.", "", f"The adapter is in {results}.")
        case RunState.STOPPED:
            kept = f"The adapter is in {results}." if view.exported else "Nothing was saved at the stop."
            return Message("success", "■", f"Stopped at step {view.step}.", kept, come_on)
        case RunState.FAILED if view.failure:
            remedy = f"{view.failure.remedy} Then {come_on}"
            return Message("error", "✗", view.failure.what, view.failure.why, remedy.strip())
        case RunState.FAILED:
            return Message("error", "✗", "The run failed.", view.state_reason, come_on)
        case RunState.INTERRUPTED if view.is_unreadable:
            why = f"How the run stands is not known: {unreadable(view.unreadable_lines, of_all=True)}."
            remedy = f"Its checkpoints are looked at one by one: `{resume}` goes on from the newest good one."
            return Message("error", "?", "The journal is damaged.", why, remedy)
        case RunState.INTERRUPTED:
            damage = f" {unreadable(view.unreadable_lines)}." if view.unreadable_lines else ""
            why = f"Nobody works on it: its supervisor is gone, by a power cut perhaps or a kill.{damage}"
            return Message("error", "!", f"Interrupted at step {view.step}.", why, come_on)
        case _:
            return None


def _content(message: Message) -> Content:
    """Sign and what in bold, then why, then the remedy on a line of its own."""
    what = message.what if message.what.endswith((".", "!", "?")) else f"{message.what}."
    parts: list[str | tuple[str, str]] = [(f"{message.sign} {what}", f"bold $text-{message.tone}")]
    if message.why:
        parts.append(f" {message.why}")
    if message.remedy:
        parts.append(f"\n→ {message.remedy}")
    return Content.assemble(*parts)
