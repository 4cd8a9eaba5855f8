"""How a process that another program started gets open files of ours: it asks for them on a Unix socket.

accelerate's launcher hands nothing down but arguments and the environment. Whoever came keeps the connection, whose end
tells it that the launcher is gone.
"""

import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread

MOST_FILES = 8  # handed over at once


class Handover:
    """Hands open files to each process that asks for them, until this process ends."""

    def __init__(self, path: Path, files_of: Callable[[int], Sequence[int]]) -> None:
        """`files_of` names the descriptors that a rank gets. The folder of `path` has to be this user's alone."""
        self._files_of = files_of
        self._connections: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        Thread(target=self._serve, daemon=True, name="handover").start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with contextlib.suppress(OSError):  # it has died meanwhile
                if rank := connection.recv(1):
                    socket.send_fds(connection, [b"\n"], list(self._files_of(rank[0])))
            self._connections.append(connection)


def ask_for_files(path: Path, rank: int) -> tuple[socket.socket, list[int]]:
    """What is handed over to this process, and the connection that ends with the launcher. Raises OSError."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(path))
    connection.sendall(bytes([rank]))
    _, files, _, _ = socket.recv_fds(connection, 1, MOST_FILES)
    for file in files:
        os.set_inheritable(file, False)
    return connection, files
