"""One of several processes that train a run together; accelerate's launcher starts them, see engine/launcher.py."""

import contextlib
import os
import socket
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread

from engine import libraries
from engine.channel import WorkerEnd
from engine.contract.errors import ShoeloraError
from engine.contract.run_dir import RunDir
from engine.handover import ask_for_files
from engine.worker import PARTED, has_parted, leave_terminals_alone, serve


def main() -> None:
    """`python -m engine.rank SOCKET RUN_FOLDER LOG_FOLDER [--allow-changed-data]`."""
    path, run, log_dir = (Path(argument) for argument in sys.argv[1:4])
    rank = int(os.environ["RANK"])
    launcher, (_lock, *files) = ask_for_files(path, rank)
    Thread(target=_end_with, args=(launcher,), daemon=True, name="launcher-watch").start()
    if rank == 0:
        commands, reports, supervisor = files
        end = WorkerEnd(Connection(commands, writable=False), Connection(reports, readable=False))
        serve(RunDir(run), log_dir, end, supervisor, "--allow-changed-data" in sys.argv[4:], launched=True)
    _serve_the_main_process(RunDir(run))


def _end_with(launcher: socket.socket) -> None:
    """The launcher ends last, unless it was killed; nothing of it may stay behind and hold a GPU."""
    with contextlib.suppress(OSError):
        launcher.recv(1)
    os._exit(PARTED)


def _serve_the_main_process(run: RunDir) -> None:
    leave_terminals_alone()
    libraries.quiet()
    code = 0
    try:
        from torch.distributed.elastic.multiprocessing.errors import record

        record(_follow)(run)  # the launcher is told of an exception
    except Exception as error:
        code = PARTED if has_parted(error) else 1
        with contextlib.suppress(OSError):  # the disk may be full
            if code == PARTED or isinstance(error, ShoeloraError):
                print(error, file=sys.stderr)
            else:
                traceback.print_exc()
    os._exit(code)


def _follow(run: RunDir) -> None:
    with libraries.imported_in_one_go():
        from engine.following import follow

    follow(run)


if __name__ == "__main__":
    main()
