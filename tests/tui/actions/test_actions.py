"""The one table of actions: complete, without clashes, and bound where it is said."""

import pytest
from textual.binding import Binding

from tui.actions import TABLE, Place
from tui.console import ConsoleApp
from tui.screens.main_screen import bindings
from tui.screens.monitor import MonitorScreen

EATEN = {f"ctrl+{letter}" for letter in "abjoszcq"}  # by tmux, screen, the terminal or Textual
SHARED = {("monitor", "p")}  # pause and resume, of which one is offered


@pytest.mark.parametrize("place", TABLE)
def test_every_action_is_complete(place: Place) -> None:
    for entry in TABLE[place]:
        assert entry.label
        assert entry.help.endswith(".")
        assert not EATEN & set(entry.keys.split(","))
    assert len({entry.id for entry in TABLE[place]}) == len(TABLE[place])


@pytest.mark.parametrize("place", [place for place in TABLE if place != "everywhere"])
def test_no_key_has_two_meanings_on_a_screen(place: Place) -> None:
    keys = [key for entry in (*TABLE[place], *TABLE["everywhere"]) for key in entry.keys.split(",")]
    assert {key for key in keys if keys.count(key) > 1 and (place, key) not in SHARED} == set()


@pytest.mark.parametrize("place", TABLE)
def test_every_action_has_a_binding_of_its_own_name(place: Place) -> None:
    ids = [binding.id for binding in bindings(place) if isinstance(binding, Binding)]
    assert ids == [f"{place}.{entry.id}" for entry in TABLE[place]]


def test_screens_and_app_have_the_bindings_of_the_table() -> None:
    assert MonitorScreen.BINDINGS[: len(TABLE["monitor"])] == bindings("monitor")
    assert bindings("everywhere") == ConsoleApp.BINDINGS
