"""`python -m tests.judge --base` judges the demo's base model, `--run FOLDER` what a run's adapter makes of it."""

import argparse
import sys
from pathlib import Path

from engine.contract.errors import ModelError, ShoeloraError
from engine.contract.run_dir import RunDir, Workspace
from engine.demo import BASE_MODEL
from tests.judge.classifier import WrongJudgeError, ready_judge
from tests.judge.colour import WrongColourError, examine_colours
from tests.judge.painters import model_painter, pen
from tests.judge.verdicts import Court, Figure, tell

FOLDER = Path("outputs/.demo/judge")


def main() -> int:
    """Exit code 0 if every target is met, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.judge", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--base", action="store_true", help="the base model alone")
    which.add_argument("--run", type=Path, metavar="FOLDER", help="a run's folder in outputs/")
    which.add_argument("--drawings", action="store_true", help="drawings in place of pictures, as a test of the judge")
    chosen = parser.parse_args()
    try:
        figures = _figures(chosen)
    except (ShoeloraError, WrongJudgeError, WrongColourError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    is_met = tell(figures)
    print(f"Contact sheets are in {FOLDER}.")
    return 0 if is_met else 1


def _figures(chosen: argparse.Namespace) -> list[Figure]:
    if chosen.base:
        model = model_painter(_shipped_model(), None, Workspace(Path.cwd()))
        court = _court("base")
        return [court.kinds(model), court.no_shoes(model)]
    if chosen.drawings:
        before, after = pen(draws_shoes=False), pen(draws_shoes=True)
        court = _court("drawings")
        return [court.kinds(before), court.no_shoes(before), *court.shoes(after), *court.kept(before, after)]
    run = RunDir(chosen.run.resolve())
    source = run.config().pretrained_model_name_or_path
    before, after = (model_painter(source, adapter, run.workspace) for adapter in (None, run.lora_weights))
    court = _court(run.name)
    return [court.no_shoes(before), *court.shoes(after), *court.kept(before, after)]


def _shipped_model() -> str:
    if not (BASE_MODEL / "model_index.json").is_file():
        raise ModelError("There is no base model to judge", f"Looked in {BASE_MODEL}.", "python -m engine.demo.build")
    return str(BASE_MODEL)


def _court(name: str) -> Court:
    """A court whose judge was examined first: who does not know drawings cannot judge pictures."""
    judge, examination = ready_judge(FOLDER)
    print(f"The judge: {examination}.")
    print(f"Of held-out shoes and mugs {examine_colours():.1%} have their colour told.")
    return Court(judge, FOLDER / name)


if __name__ == "__main__":
    sys.exit(main())
