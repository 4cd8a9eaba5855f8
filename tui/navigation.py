"""How screens name each other, and the message with which one asks for another."""

from dataclasses import dataclass
from typing import Literal

from textual.message import Message

from engine.contract.run_dir import RunDir

ScreenName = Literal["runs", "new", "monitor", "gallery", "generate", "environment"]


@dataclass
class Opened(Message):
    """Show a screen, of a run if one is given; the app obeys it, whichever screen posts it."""

    screen: ScreenName
    run: RunDir | None = None
    then: str = ""  # what that screen is to do at once: the rest of the name of one of its act_ methods


@dataclass
class Deleted(Message):
    """A run is being removed from the disk, so no screen may hold on to it."""

    run: RunDir
