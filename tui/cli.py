"""The command line, shoelora-tui: what can be typed, and what each command calls; Textual is loaded at need only."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from typing import TypeAlias

from engine import control
from engine.contract import protocol as p
from engine.contract.config import TrainingConfig
from engine.contract.config_file import find_config, load_config
from engine.contract.errors import ConfigError, RunError, ShoeloraError
from engine.contract.run_dir import RunDir, Workspace, find_run, list_runs
from engine.contract.saved_adapters import find_adapter
from tui import run_commands
from tui.config_flags import CommandParser, add_sampling_flags, add_setting_flags, settings_from, whole_number
from tui.foreground import follow_training, watch_lines
from tui.image_mode import MODES

Commands: TypeAlias = "argparse._SubParsersAction[CommandParser]"  # argparse has no public name for it

OBEYED, REFUSED, USAGE, INTERRUPTED = 0, 1, 2, 130
BROKEN_PIPE = 141  # what a shell reports for a command whose reader went away
FIRST_WORDS = """There is no run here yet. To begin:
  shoelora-tui train --config demo      a small run of two minutes, with pictures drawn for it
  shoelora-tui check                    is this machine ready, are data and base model there?
  shoelora-tui train                    the run of configs/training_config.json
`shoelora-tui --help` lists everything."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 if it was obeyed, 1 with the reason on standard error if not, 2 if it was wrong."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no Unicode shows ? for a sign
    try:
        arguments = _parser().parse_args(argv)
        code = int(arguments.act(arguments))
        sys.stdout.flush()  # here, where a reader that has gone away can still be dealt with
    except SystemExit as error:  # argparse: --help, --version, or a fault that it has described
        return error.code if isinstance(error.code, int) else USAGE
    except ShoeloraError as error:
        print(error, file=sys.stderr)
        return USAGE if isinstance(error, ConfigError) and hasattr(arguments, "config") else REFUSED
    except KeyboardInterrupt:
        print("\nInterrupted. A run that was started goes on by itself.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python's last flush stays silent
        return BROKEN_PIPE
    except OSError as error:
        print(f"{error.strerror or error}: {error.filename}" if error.filename else error, file=sys.stderr)
        return REFUSED
    return code


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="shoelora-tui",
        description="Fine-tune Stable Diffusion 1.5 with LoRA on your own product photos. Without a command: open the "
        "console on all runs.",
        epilog="RUN is a run's name, its folder, or latest (the default).",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('shoelora-tui')}")
    _add_workspace(parser, default=Path())
    _add_images(parser, default=None)
    parser.set_defaults(act=_open_runs)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_training_commands(commands)
    _add_run_commands(commands)
    return parser


def _add_workspace(parser: argparse.ArgumentParser, default: object) -> None:
    parser.add_argument(
        "--workspace", type=Path, metavar="DIR", default=default,
        help="the folder whose outputs/, logs/ and configs/ are used (default: the current one)",
    )  # fmt: skip


def _add_images(parser: argparse.ArgumentParser, default: object) -> None:
    parser.add_argument(
        "--images", choices=("auto", *MODES), default=default,
        help="how the console shows pictures (default: as chosen last, else what the terminal is known to show)",
    )  # fmt: skip


def _add(commands: Commands, name: str, help: str, **defaults: object) -> CommandParser:
    parser = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
    _add_workspace(parser, default=argparse.SUPPRESS)  # may stand before or after the command
    parser.set_defaults(**defaults)
    return parser


def _add_training_commands(commands: Commands) -> None:
    train = _add(commands, "train", "start a run and follow it; Ctrl-C asks it to save and stop", act=_train)
    train.add_argument("--detach", action="store_true", help="return at once and print the run's name")
    train.add_argument("--console", action="store_true", help="follow it in the console, where there is a terminal")
    _add_images(train, default=argparse.SUPPRESS)
    check = _add(commands, "check", "is this machine ready to train?", act=_check)
    check.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    preflight = _add(commands, "preflight", "train five steps without keeping them, and report", act=_preflight)
    sample = _add(commands, "sample", "draw pictures with the base model or with an adapter", act=_sample)
    add_sampling_flags(sample)
    bench = _add(commands, "bench", "time every mode of training here, and recommend settings", act=_bench)
    bench.add_argument(
        "--steps", type=whole_number, default=20, metavar="INTEGER", help="timed in each mode (default: 20)"
    )
    for parser in (train, check, preflight, sample, bench):
        parser.usage = f"{parser.prog} [--config NAME_OR_PATH] [--SETTING VALUE ...] [options]"
        parser.epilog = "Settings may be spelled with underscores or dashes. true or no value turns a switch on."
        parser.add_argument(
            "--config", default="training_config", metavar="NAME_OR_PATH",
            help="a preset's name or a JSON file (default: training_config)",
        )  # fmt: skip
        add_setting_flags(parser)


def _add_run_commands(commands: Commands) -> None:
    runs = _add(commands, "runs", "list all runs", act=lambda a: run_commands.show_runs(_workspace(a), a.json))
    runs.add_argument("--json", action="store_true", help="one JSON object per line instead of columns")
    status = _add(commands, "status", "where a run stands", act=lambda a: run_commands.show_status(_run(a), a.json))
    status.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    watch = _add(
        commands, "watch", "print what happens in a run, line by line", act=lambda a: watch_lines(_run(a), a.json)
    )
    watch.add_argument("--json", action="store_true", help="one JSON object per event, all that the journal has of it")
    orders: dict[str, tuple[str, p.Command]] = {
        "pause": ("hold a run still, with everything in memory", p.Pause()),
        "checkpoint": ("save a checkpoint now", p.SaveCheckpoint()),
        "validate": ("measure the validation loss and draw the validation images now", p.Validate()),
        "restart-worker": ("end a worker that hangs, and go on from the newest good checkpoint", p.RestartWorker()),
    }
    parsers = [
        _add(commands, name, help, act=lambda a: run_commands.command(_run(a), a.order), order=order)
        for name, (help, order) in orders.items()
    ]
    resume = _add(
        commands, "resume", "let a paused run go on, or start an ended one again from its newest good checkpoint",
        act=lambda a: run_commands.resume(_run(a), a.allow_changed_data),
    )  # fmt: skip
    resume.add_argument(
        "--allow-changed-data", action="store_true", help="go on although pictures or captions have changed since"
    )
    stop = _add(commands, "stop", "end a run", act=lambda a: run_commands.command(_run(a), p.Stop(save=a.save)))
    stop.add_argument("--no-save", dest="save", action="store_false", help="write neither checkpoint nor adapter")
    attach = _add(
        commands,
        "attach",
        "open the console on a run",
        act=lambda a: _open_console(_workspace(a), _run(a), a.images, readonly=a.readonly),
    )
    _add_images(attach, default=argparse.SUPPRESS)
    attach.add_argument("--readonly", action="store_true", help="look without being able to command")
    for parser in (status, watch, *parsers, resume, stop, attach):
        parser.add_argument("run", nargs="?", default="latest", metavar="RUN", help="name, folder, or latest (default)")


def _workspace(arguments: argparse.Namespace) -> Workspace:
    root = arguments.workspace.expanduser().resolve()
    if not root.is_dir():
        raise RunError(f"There is no folder {root}", remedy="Make it first, or name another --workspace.")
    return Workspace(root)


def _run(arguments: argparse.Namespace) -> RunDir:
    return find_run(_workspace(arguments), arguments.run)


def _config(arguments: argparse.Namespace) -> tuple[TrainingConfig, Path]:
    path = find_config(arguments.config, _workspace(arguments).root)
    return load_config(path, settings_from(arguments)), path


def _train(arguments: argparse.Namespace) -> int:
    config, path = _config(arguments)
    run = control.launch(_workspace(arguments), config, path.stem)
    if arguments.detach:
        print(run.name)
        print(f"It runs by itself. Look at it with `shoelora-tui attach {run.name}`.", file=sys.stderr)
        return OBEYED
    if arguments.console and not _no_terminals():
        return _open_console(run.workspace, run, arguments.images)
    print(f"Run {run.name} started; it goes on even if this terminal is closed.", flush=True)
    return follow_training(run)


def _check(arguments: argparse.Namespace) -> int:
    return control.run_tool(
        "environment", _config(arguments)[0], _workspace(arguments), ["--json"] if arguments.json else []
    )


def _preflight(arguments: argparse.Namespace) -> int:
    return control.run_tool("preflight", _config(arguments)[0], _workspace(arguments))


def _bench(arguments: argparse.Namespace) -> int:
    return control.run_tool("bench", _config(arguments)[0], _workspace(arguments), [f"--steps={arguments.steps}"])


def _sample(arguments: argparse.Namespace) -> int:
    config, workspace = _config(arguments)[0], _workspace(arguments)
    options = [f"--prompt={prompt}" for prompt in arguments.prompt]
    # The tool runs in the workspace, the paths were typed here.
    options += [f"--adapter={find_adapter(workspace, arguments.adapter)}"] if arguments.adapter else []
    options += [f"--output={Path(arguments.output).expanduser().resolve()}"] if arguments.output else []
    options += [f"--count={arguments.count}"] if arguments.count else []
    options += [] if arguments.adapter_weight is None else [f"--adapter-weight={arguments.adapter_weight}"]
    return control.run_tool("sample", config, workspace, options + (["--json"] if arguments.json else []))


def _open_runs(arguments: argparse.Namespace) -> int:
    workspace = _workspace(arguments)
    if sys.stdout.isatty():
        return _open_console(workspace, None, arguments.images)
    if runs := list_runs(workspace):
        return _open_console(workspace, runs[-1], None)  # says what to use instead
    print(FIRST_WORDS)
    return OBEYED


def _open_console(workspace: Workspace, run: RunDir | None, images: str | None, readonly: bool = False) -> int:
    if missing := _no_terminals():
        instead = f"watch {run.name}" if run else "runs"
        raise RunError("The console needs a terminal", f"{missing[0]} is none.", f"Use `shoelora-tui {instead}`.")
    from tui.app import open_console  # Textual; no other command waits for it

    return open_console(workspace, run, readonly, images)


def _no_terminals() -> list[str]:
    """Those of the three that the console needs for its keys and its picture, and that are no terminal."""
    streams = {"Standard output": sys.stdout, "Standard input": sys.stdin, "Standard error": sys.stderr}
    return [name for name, stream in streams.items() if not (stream and stream.isatty())]


if __name__ == "__main__":
    sys.exit(main())
