"""How large a cell of the terminal is, as the system knows it; the terminal itself is never asked."""

import fcntl
import struct
import sys
import termios

USUAL_RATIO = 0.5  # where the terminal does not tell
LIKELY_RATIOS = (0.3, 0.8)  # some terminals report nonsense


def cell_pixels() -> tuple[int, int] | None:
    """Width and height of a cell in pixels; None where the terminal does not tell, or there is none."""
    for stream in filter(None, (sys.__stderr__, sys.__stdin__, sys.__stdout__)):  # Textual draws on the first
        try:
            answer = fcntl.ioctl(stream.fileno(), termios.TIOCGWINSZ, bytes(8))
        except (OSError, ValueError):
            continue
        rows, columns, width, height = struct.unpack("HHHH", answer)
        if rows and columns and width >= columns and height >= rows:
            return width // columns, height // rows
    return None


def cell_ratio() -> float:
    """Width of a cell over its height."""
    width, height = cell_pixels() or (0, 1)
    ratio = width / height
    return ratio if LIKELY_RATIOS[0] <= ratio <= LIKELY_RATIOS[1] else USUAL_RATIO
