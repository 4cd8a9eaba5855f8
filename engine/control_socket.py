"""The Unix socket on which a supervisor takes commands: for this user alone, and deaf to garbage."""

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import socket
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from engine.contract.atomic_file import remove_unfinished, write_atomically
from engine.contract.errors import RunError
from engine.contract.protocol import Request
from engine.contract.run_dir import RunDir, RunLock
from engine.contract.wire import ProtocolError, decode_request

LONGEST_REQUEST = 64 * 1024  # bytes; a request has about 150
MOST_CONNECTIONS = 64  # the oldest is dropped beyond that, so that silent ones cannot lock others out

Answer = Callable[[Request], str]  # returns why not, or nothing if the command is accepted


class ControlSocket:
    """Accepts one request per connection: a line of JSON in, a line of JSON out."""

    def __init__(self, run: RunDir) -> None:
        self._run = run
        self._key = secrets.token_hex(32)
        self.refused = 0  # requests with a wrong key or that were none
        self.last_refusal = ""
        self._connections: dict[socket.socket, bytearray] = {}
        self._path = _socket_path(run)
        self._path.unlink(missing_ok=True)  # left by a supervisor that was killed; the run's lock is ours by now
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._path.chmod(0o600)
        self._listener.listen()
        self._listener.setblocking(False)
        control = {"socket": str(self._path), "key": self._key, "pid": os.getpid()}
        try:
            remove_unfinished(run.control)
            write_atomically(run.control, json.dumps(control) + "\n", mode=0o600)
        except OSError:
            self.close()
            raise

    @property
    def readable(self) -> list[socket.socket]:
        """What to wait on."""
        return [self._listener, *self._connections]

    def serve(self, ready: object, answer: Answer) -> None:
        """Handle one of `readable` that has something to read; never blocks."""
        if ready is self._listener:
            self._accept()
        elif isinstance(ready, socket.socket) and ready in self._connections:
            self._read(ready, answer)

    def close(self) -> None:
        """Remove the socket and the control file."""
        for connection in [*self._connections, self._listener]:
            connection.close()
        self._path.unlink(missing_ok=True)
        self._run.control.unlink(missing_ok=True)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # it went away again
        connection.setblocking(False)
        self._connections[connection] = bytearray()
        if len(self._connections) > MOST_CONNECTIONS:
            self._drop(next(iter(self._connections)))

    def _read(self, connection: socket.socket, answer: Answer) -> None:
        received = self._connections[connection]
        try:
            data = connection.recv(4096)
        except OSError:
            data = b""
        received += data
        if b"\n" in received:
            self._reply(connection, self._judge(bytes(received.partition(b"\n")[0]), answer))
        elif len(received) > LONGEST_REQUEST:
            self._refuse(f"not a request: longer than {LONGEST_REQUEST} bytes")
        elif not data and received:
            self._refuse("not a request: no end of line")
        elif data:
            return  # the rest is yet to come
        self._drop(connection)

    def _judge(self, line: bytes, answer: Answer) -> str:
        try:
            request, key = decode_request(line)
        except ProtocolError as error:
            return self._refuse(f"not a request: {error}")
        if not hmac.compare_digest(key.encode(errors="surrogatepass"), self._key.encode()):
            return self._refuse("wrong key")
        return answer(request)

    def _refuse(self, reason: str) -> str:
        self.refused += 1
        self.last_refusal = reason
        return reason

    def _reply(self, connection: socket.socket, reason: str) -> None:
        reply = json.dumps({"accepted": not reason, "reason": reason}).encode() + b"\n"
        try:
            connection.sendall(reply)  # far smaller than a socket's buffer
        except OSError:
            return  # the asker is gone; the journal has the answer

    def _drop(self, connection: socket.socket) -> None:
        del self._connections[connection]
        connection.close()


def remove_traces(run: RunDir) -> None:
    """Remove socket and control file of a supervisor that was killed, unless another has taken the run over."""
    with contextlib.suppress(RunError, OSError):
        lock = RunLock.acquire(run)
        _socket_path(run).unlink(missing_ok=True)
        run.control.unlink(missing_ok=True)
        lock.release()


def launch_folder(run: RunDir) -> Path:
    """Where the launcher of several processes keeps what it needs while they live; beside the socket, and as short."""
    return _socket_path(run).with_suffix(".launch")


def _socket_path(run: RunDir) -> Path:
    return _private_folder() / f"{hashlib.sha256(str(run.path).encode()).hexdigest()[:16]}.sock"


def _private_folder() -> Path:
    """A folder of this user's alone, with a short name: socket paths end at 104 bytes on macOS."""
    folder = Path(tempfile.gettempdir()) / f"shoelora-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise RunError(f"{folder} is not private", "Others could command the run.", f"Remove {folder}.")
    return folder
