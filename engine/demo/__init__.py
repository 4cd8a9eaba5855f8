"""The embedded demo: a small base model and drawn shoes, so that a first run needs no download."""

from pathlib import Path

from engine.contract.run_dir import Workspace

NAME = "demo"  # what a config says for either of them
BASE_MODEL = Path(__file__).parent / "base_model"  # a diffusers folder, made by `python -m engine.demo.build`


def base_model(name: str) -> Path | None:
    """The folder of the embedded base model, if that is what a config names."""
    return BASE_MODEL if name == NAME else None


def data_folder(name: str, workspace: Workspace) -> Path | None:
    """The folder of the drawn data set, if that is what a config names; it is drawn in the workspace at the first call.

    Raises OSError if that cannot be written.
    """
    if name != NAME:
        return None
    from engine.demo.drawing import draw_dataset  # Pillow, which most commands need not load

    folder = workspace.outputs / ".demo" / "shoes"
    draw_dataset(folder)
    return folder
