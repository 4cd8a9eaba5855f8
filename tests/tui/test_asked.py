"""Commands between the key press and the first record about them."""

from tui.asked import AskedCommands


def test_shown_from_the_press_until_the_journal_speaks_of_it() -> None:
    asked = AskedCommands()
    press = asked.ask("Pause")
    assert asked.commands == ["Pause"]
    asked.sent(press, "id1")
    assert asked.commands == ["Pause"]
    asked.recorded(["id1"])
    assert asked.commands == []


def test_the_journal_may_be_faster_than_the_answer() -> None:
    asked = AskedCommands()
    press = asked.ask("Pause")
    asked.recorded(["id1"])
    assert asked.commands == ["Pause"]
    asked.sent(press, "id1")
    assert asked.commands == []


def test_a_refusal_ends_it_and_leaves_the_others() -> None:
    asked = AskedCommands()
    first, _second = asked.ask("Pause"), asked.ask("Validate")
    asked.forget(first)
    assert asked.commands == ["Validate"]


def test_commands_of_other_consoles_do_not_disturb() -> None:
    asked = AskedCommands()
    asked.ask("Pause")
    asked.recorded(["someone else's"])
    assert asked.commands == ["Pause"]
