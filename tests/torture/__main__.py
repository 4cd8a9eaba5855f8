"""`python -m tests.torture --trials 200 --seed 1 --jobs 2`: tortures runs, and tells what they survived."""

import argparse
import multiprocessing
import os
import shutil
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.torture.campaign import REFERENCES, Result, make_reference, torture
from tests.torture.kinds import kind_of


def report(results: Iterable[Result], place: Path) -> bool:
    """Print the sums; whether nothing failed."""
    results = sorted(results, key=lambda result: result.seed)
    print(f"\n{'kind':<22}{'trials':>7}{'failed':>7}{'starts':>7}{'steps lost':>11}{'seconds':>8}")
    trials = Counter(result.kind for result in results)
    for kind in trials:
        of_kind = [result for result in results if result.kind == kind]
        failed = sum(bool(result.failures) for result in of_kind)
        starts, lost = sum(result.starts for result in of_kind), sum(result.steps_lost for result in of_kind)
        print(f"{kind:<22}{len(of_kind):>7}{failed:>7}{starts:>7}{lost:>11}{sum(r.seconds for r in of_kind):>8.0f}")
    _spread("a worker's death was told after", [after for result in results for after in result.noticed_after])
    _spread("a worker without supervisor left after", [after for result in results for after in result.orphaned_for])
    failures = [result for result in results if result.failures]
    for result in failures:
        print(f"\nFAILED seed {result.seed} ({result.kind}); see {place / f'seed-{result.seed}'}")
        print(f"  done to it: {' '.join(result.deeds)}")
        for failure in result.failures:
            print(f"  {failure}")
    print(f"\n{len(results)} trials, {len(failures)} failures")
    return not failures


def _spread(what: str, seconds: list[float]) -> None:
    if seconds:
        low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
        print(f"{what}: min {low:.2f} s, median {middle:.2f} s, max {high:.2f} s ({len(seconds)} times)")


def main() -> int:
    """Exit code 0 if nothing failed, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="the first; the others follow")
    parser.add_argument("--jobs", type=int, default=2, help="trials side by side")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    place = Path(tempfile.mkdtemp(prefix="torture-")).resolve()
    seeds = range(arguments.seed, arguments.seed + arguments.trials)
    make_reference(place, "undisturbed")
    for name in {kind_of(seed).__name__ for seed in seeds} & REFERENCES.keys():
        make_reference(place, name)
    results = []
    with ProcessPoolExecutor(arguments.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for future in as_completed(pool.submit(torture, seed, place) for seed in seeds):
            results.append(result := future.result())
            print(f"seed {result.seed} {result.kind} {'; '.join(result.failures) or 'passed'}", flush=True)
    good = report(results, place)
    if good:
        shutil.rmtree(place)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
