"""What is told of somebody else's error."""

import pytest

from engine.contract.errors import first_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RuntimeError("CUDA out of memory.\nTried to allocate"), "CUDA out of memory."),
        (RuntimeError("\n  shapes do not match\n"), "shapes do not match"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_the_first_line_of_an_error_or_its_kind(error: Exception, line: str) -> None:
    assert first_line(error) == line
