"""The control socket: private, patient with nobody, and deaf to everything that is no request."""

import json
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.connection import wait
from pathlib import Path

import pytest

from engine.contract.errors import RunError
from engine.contract.protocol import Pause, Request, Stop
from engine.contract.run_dir import RunDir, RunLock
from engine.contract.wire import encode_request
from engine.control_socket import LONGEST_REQUEST, MOST_CONNECTIONS, ControlSocket, remove_traces


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short one: the path of a socket ends at 104 bytes."""
    assert tmp_path.is_dir()  # pytest must have made its own before
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="s") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path)


class Server:
    """The supervisor's loop, turned by hand."""

    def __init__(self, run: RunDir) -> None:
        self.socket = ControlSocket(run)
        self.taken: list[Request] = []
        self.reason = ""

    def answer(self, request: Request) -> str:
        self.taken.append(request)
        return self.reason

    def turn(self) -> None:
        """Serve all that can be served now; never blocks."""
        while ready := wait(self.socket.readable, 0):
            for source in ready:
                self.socket.serve(source, self.answer)


@pytest.fixture
def server(run: RunDir) -> Iterator[Server]:
    server = Server(run)
    yield server
    server.socket.close()


def control(run: RunDir) -> dict[str, str]:
    settings: dict[str, str] = json.loads(run.control.read_text())
    return settings


def connect(run: RunDir, stack: ExitStack) -> socket.socket:
    client = stack.enter_context(socket.socket(socket.AF_UNIX))
    client.settimeout(10)
    client.connect(control(run)["socket"])
    return client


def ask(run: RunDir, server: Server, data: bytes) -> bytes:
    """Send some bytes, let the server turn, and read all that comes back until it hangs up."""
    with ExitStack() as stack:
        client = connect(run, stack)
        client.sendall(data)
        server.turn()
        received = b""
        while chunk := client.recv(4096):
            received += chunk
        return received


def line(run: RunDir, request: Request) -> bytes:
    return encode_request(request, control(run)["key"]).encode() + b"\n"


def refusal(received: bytes) -> str:
    reply = json.loads(received)
    assert reply["accepted"] is False
    return str(reply["reason"])


# ---- privacy ------------------------------------------------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_can_reach_it(run: RunDir, server: Server) -> None:
    path = Path(control(run)["socket"])
    assert mode(path.parent) == 0o700
    assert mode(path) == 0o600
    assert mode(run.control) == 0o600
    assert len(control(run)["key"]) == 64
    assert control(run)["pid"] == os.getpid()  # type: ignore[comparison-overlap]
    assert len(os.fsencode(path)) < 104
    assert server.taken == []


def test_keys_differ_from_start_to_start(run: RunDir) -> None:
    keys = set()
    for _ in range(2):
        opened = ControlSocket(run)
        keys.add(control(run)["key"])
        opened.close()
    assert len(keys) == 2


@pytest.mark.parametrize("obstacle", ["others may read it", "a symbolic link"])
def test_a_folder_that_others_could_use_is_refused(
    run: RunDir, own_temporary_folder: Path, tmp_path: Path, obstacle: str
) -> None:
    folder = own_temporary_folder / f"shoelora-{os.getuid()}"
    if obstacle == "a symbolic link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
    with pytest.raises(RunError, match="is not private") as raised:
        ControlSocket(run)
    assert str(folder) in raised.value.remedy
    assert not run.control.exists()


# ---- requests -----------------------------------------------------------------------------------------------------


def test_a_request_is_answered(run: RunDir, server: Server) -> None:
    request = Request(Stop(save=False))
    assert json.loads(ask(run, server, line(run, request))) == {"accepted": True, "reason": ""}
    assert server.taken == [request]
    server.reason = "the run is paused"
    assert refusal(ask(run, server, line(run, Request(Pause())))) == "the run is paused"


def test_a_request_may_come_in_pieces(run: RunDir, server: Server) -> None:
    request = Request(Pause())
    whole = line(run, request)
    with ExitStack() as stack:
        client = connect(run, stack)
        for start in range(0, len(whole), 20):
            assert server.taken == []
            client.sendall(whole[start : start + 20])
            server.turn()
        assert json.loads(client.recv(4096))["accepted"]
    assert server.taken == [request]


def test_only_the_first_line_of_a_connection_counts(run: RunDir, server: Server) -> None:
    requests = [Request(Pause()), Request(Stop())]
    ask(run, server, b"".join(line(run, request) for request in requests))
    assert server.taken == requests[:1]


@pytest.mark.parametrize("key", ["", "0" * 64, "clé"])
def test_a_wrong_key_is_refused(run: RunDir, server: Server, key: str) -> None:
    received = ask(run, server, encode_request(Request(Pause()), key).encode() + b"\n")
    assert refusal(received) == "wrong key"
    assert (server.taken, server.socket.refused, server.socket.last_refusal) == ([], 1, "wrong key")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\n", b"hello\n", b"\xff\xfe\x00\n", b"{}\n", b"[1, 2]\n", b"null\n", b'{"type": "Pause"}\n',
        b'{"type": "Reboot", "id": "1", "key": "k"}\n', b'{"type": "Stop", "id": "1", "data": {"save": 7}}\n',
        b"[" * 20_000 + b"\n", b'"\\ud800"\n', b'{"type": "Pause", "id": "1", "key": "\\ud800"}\n',
    ],
)  # fmt: skip
def test_garbage_is_refused(run: RunDir, server: Server, garbage: bytes) -> None:
    assert refusal(ask(run, server, garbage))
    assert (server.taken, server.socket.refused) == ([], 1)
    ask(run, server, line(run, Request(Pause())))
    assert len(server.taken) == 1


def test_a_line_without_end_is_cut_off(run: RunDir, server: Server) -> None:
    with ExitStack() as stack:
        client = connect(run, stack)
        sent = 0
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while sent < 10 * LONGEST_REQUEST:
                sent += client.send(b"x" * 4096)
                server.turn()
        assert LONGEST_REQUEST <= sent <= 2 * LONGEST_REQUEST
    assert (server.taken, server.socket.refused) == ([], 1)


def test_garbage_without_end_of_line_counts_as_refused(run: RunDir, server: Server) -> None:
    with ExitStack() as stack:
        connect(run, stack).sendall(b"garbage")
    server.turn()
    assert (server.socket.refused, server.socket.last_refusal) == (1, "not a request: no end of line")


# ---- clients that are no help -------------------------------------------------------------------------------------


def test_silent_and_slow_clients_do_not_keep_others_waiting(run: RunDir, server: Server) -> None:
    with ExitStack() as stack:
        silent, slow = connect(run, stack), connect(run, stack)
        slow.sendall(line(run, Request(Pause()))[:10])
        server.turn()
        request = Request(Stop())
        assert json.loads(ask(run, server, line(run, request)))["accepted"]
        assert server.taken == [request]
        silent.close()
        server.turn()
        assert len(server.socket.readable) == 2  # the listener and the slow one


def test_clients_that_go_away_are_forgotten(run: RunDir, server: Server) -> None:
    for sent in (b"", b'{"type"', line(run, Request(Pause()))):
        with ExitStack() as stack:
            connect(run, stack).sendall(sent)
        server.turn()
    assert len(server.socket.readable) == 1
    assert len(server.taken) == 1  # nobody heard the answer; the journal has it


def test_many_silent_clients_cannot_lock_others_out(run: RunDir, server: Server) -> None:
    with ExitStack() as stack:
        clients = []
        for _ in range(MOST_CONNECTIONS + 10):
            clients.append(connect(run, stack))
            server.turn()
        assert len(server.socket.readable) == MOST_CONNECTIONS + 1
        assert clients[0].recv(1) == b""  # the oldest was dropped
        assert json.loads(ask(run, server, line(run, Request(Pause()))))["accepted"]


def test_a_source_that_is_gone_meanwhile_is_passed_over(run: RunDir, server: Server) -> None:
    with ExitStack() as stack:
        connect(run, stack)
        server.turn()
        connection = server.socket.readable[1]
    server.turn()
    server.socket.serve(connection, server.answer)
    server.socket.serve(object(), server.answer)
    assert server.taken == []


# ---- the end ------------------------------------------------------------------------------------------------------


def test_closing_removes_both_files_and_hangs_up(run: RunDir) -> None:
    server = Server(run)
    path = Path(control(run)["socket"])
    with ExitStack() as stack:
        client = connect(run, stack)
        server.turn()
        server.socket.close()
        assert client.recv(1) == b""
    assert not path.exists()
    assert not run.control.exists()


def test_what_a_killed_supervisor_left_is_replaced(run: RunDir) -> None:
    killed = Server(run)
    left = control(run)
    server = Server(run)
    assert control(run)["socket"] == left["socket"]
    assert control(run)["key"] != left["key"]
    assert json.loads(ask(run, server, line(run, Request(Pause()))))["accepted"]
    server.socket.close()
    killed.socket.close()


def test_the_traces_of_a_killed_supervisor_are_removed_unless_another_has_taken_over(run: RunDir) -> None:
    killed = Server(run)
    path = Path(control(run)["socket"])
    lock = RunLock.acquire(run)
    remove_traces(run)
    assert path.exists() and run.control.exists()
    lock.release()
    remove_traces(run)
    assert not path.exists() and not run.control.exists()
    remove_traces(run)
    assert not run.is_live()
    killed.socket.close()


def test_without_room_for_the_control_file_no_socket_is_left(run: RunDir, own_temporary_folder: Path) -> None:
    run.control.mkdir()
    (run.control / "in the way").touch()
    with pytest.raises(OSError):
        ControlSocket(run)
    assert list(own_temporary_folder.glob("*/*.sock")) == []


def test_two_runs_have_two_sockets(tmp_path: Path) -> None:
    servers = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        servers.append(Server(RunDir(tmp_path / name)))
    ask(RunDir(tmp_path / "two"), servers[1], line(RunDir(tmp_path / "two"), Request(Pause())))
    assert [len(server.taken) for server in servers] == [0, 1]
    for server in servers:
        server.socket.close()
