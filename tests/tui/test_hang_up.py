"""A terminal that is gone is told from one in which nobody types, and from one in which somebody does."""

import os
import pty
import select
import tty

from tui.hang_up import is_gone


def test_only_a_closed_terminal_is_gone() -> None:
    outer, inner = pty.openpty()
    tty.setraw(inner)  # as Textual has it
    assert not is_gone(inner), "nobody types"
    os.write(outer, b"q")
    assert select.select([inner], [], [], 5)[0]
    assert not is_gone(inner), "somebody has typed"
    os.read(inner, 1)
    assert not is_gone(inner), "it was read"
    os.close(outer)
    assert is_gone(inner)
    os.close(inner)
