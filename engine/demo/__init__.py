"""The embedded demo: a small base model and a drawn data set, so that a first run needs no download."""

from pathlib import Path

BASE_MODEL = Path(__file__).parent / "base_model"  # a diffusers folder, made by `python -m engine.demo.build`
