"""Makes the demo's base model anew: `python -m engine.demo.build`, one to two and a half hours on two cores."""

import argparse
from pathlib import Path

from engine.demo import BASE_MODEL
from engine.demo.build.recipe import RECIPE, build


def main() -> None:
    """Build in the folder that is asked for, then put the result in its place in the package."""
    parser = argparse.ArgumentParser(prog="python -m engine.demo.build", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=Path("outputs/.demo/build"), metavar="PATH",
        help="drawings, unfinished training and report; started again there, the build goes on where it was",
    )  # fmt: skip
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="one for each core; 2 if not given")
    chosen = parser.parse_args()
    build(RECIPE, chosen.folder, BASE_MODEL, chosen.processes)


if __name__ == "__main__":
    main()
