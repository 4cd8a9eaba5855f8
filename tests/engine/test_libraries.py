"""How the libraries are kept quiet and imported."""

import gc

import pytest

from engine import libraries


def test_garbage_is_collected_again_after_imports_also_after_one_that_failed() -> None:
    with libraries.imported_in_one_go():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), libraries.imported_in_one_go():
        raise ImportError
    assert gc.isenabled()
