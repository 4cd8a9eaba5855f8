"""What the tools that run in a process of their own share: arguments, the config on standard input, errors."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from engine import libraries
from engine.contract.config import TrainingConfig
from engine.contract.errors import ShoeloraError
from engine.contract.protocol import WarningRaised
from engine.contract.run_dir import Workspace

libraries.quiet()  # at import: the tools import this module before the libraries
Tool = Callable[[TrainingConfig, Workspace, argparse.Namespace], int]


def run(parser: argparse.ArgumentParser, tool: Tool) -> int:
    """Parse the arguments, read the config, run the tool. A foreseeable error is told in words, with exit code 1."""
    parser.add_argument("--workspace", type=Path, default=Path.cwd())
    arguments = parser.parse_args()
    try:
        config = TrainingConfig.model_validate_json(sys.stdin.read())
    except ValueError as error:
        parser.error(f"no config on standard input: {error}")
    try:
        return tool(config, Workspace(arguments.workspace.resolve()), arguments)
    except ShoeloraError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stdout = None  # whoever read it has seen enough; nothing is left to flush
        return 141  # 128 + SIGPIPE, as a shell has it
    except OSError as error:
        print(f"\n{error.strerror or error}{f': {error.filename}' if error.filename else ''}", file=sys.stderr)
        return 1
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
        print(
            f"\nMemory ran out\n{str(error).splitlines()[0] if str(error) else 'The system gave no more.'}\n"
            "Close other programs, pause or stop a run on this device, or lower train_batch_size or resolution.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130


def _is_out_of_memory(error: BaseException) -> bool:
    from engine.device import is_out_of_memory  # loads torch, which a tool that ends earlier need not pay for

    return is_out_of_memory(error)


def print_warning(warning: WarningRaised) -> None:
    """A warning as lines on standard error."""
    print(f"[WARN] {warning.what}\n       {warning.why}\n       {warning.remedy}", file=sys.stderr)


def print_progress(phase: str) -> Callable[[int, int], None]:
    """Progress of a phase: one line that counts up on a terminal, a line at each tenth elsewhere."""
    on_terminal = sys.stdout.isatty()

    def progress(done: int, total: int) -> None:
        if on_terminal:
            print(f"\r{phase} {done}/{total}", end="\n" if done == total else "", flush=True)
        elif done == total or 10 * done // total > 10 * (done - 1) // total:
            print(f"{phase} {done}/{total}", flush=True)

    return progress
