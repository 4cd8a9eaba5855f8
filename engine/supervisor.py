"""The supervisor: owns one run's lock, journal and socket, and keeps its worker alive. No torch, no Textual."""

import multiprocessing
import signal
import sys
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TextIO

from engine.channel import Channel
from engine.contract import protocol as p
from engine.contract.config import TrainingConfig
from engine.contract.describe import log_line
from engine.contract.errors import ShoeloraError
from engine.contract.journal import JournalWriter
from engine.contract.run_dir import RunDir, RunLock
from engine.contract.run_state import RunState, may_follow, why_not
from engine.control_socket import ControlSocket
from engine.worker import work

LOOK = 0.5  # seconds; how late a signal may be noticed, everything else wakes the loop at once


class Supervisor:
    """One supervised run. `serve` returns when the run has reached a final state."""

    def __init__(self, run: RunDir, config: TrainingConfig, log_dir: Path) -> None:
        self._run = run
        self._config = config
        self._log_dir = log_dir
        self._journal = JournalWriter(run.journal)
        self._log: TextIO = (log_dir / "main_log.txt").open("a", encoding="utf-8")
        self._socket = ControlSocket(run)
        self._state = RunState.PREPARING
        self._step = 0
        self._restarts = 0
        self._restarts_since_checkpoint = 0
        self._pending: dict[str, p.Command] = {}
        self._ending: p.RunFinished | p.RunFailed | None = None
        self._terminated = False

    def serve(self) -> None:
        """Start workers until the run has ended; take commands and reports meanwhile."""
        signal.signal(signal.SIGTERM, self._on_terminate)
        self._record(
            p.RunStarted(
                self._run.name, multiprocessing.current_process().pid or 0, self._config.max_train_steps,
                str(self._log_dir),
            )
        )  # fmt: skip
        while not self._state.is_final:
            self._record(p.StateChanged("preparing"))
            self._run_worker()
        self._answer_pending()

    def close(self) -> None:
        """Leave nothing behind but the journal and the log."""
        self._socket.close()
        self._journal.close()
        self._log.close()

    # ---- the worker -------------------------------------------------------------------------------------------------

    def _run_worker(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._channel = Channel.create(context)
        arguments = (str(self._run.path), str(self._log_dir), self._channel)
        process = context.Process(target=work, args=arguments, name="worker")
        process.start()
        self._channel.become_supervisor()
        self._record(p.WorkerStarted(process.pid or 0, self._restarts))
        terminated = False
        reading = True
        while True:
            sources = [process.sentinel, *self._socket.readable, *([self._channel.readable] if reading else [])]
            ready = wait(sources, LOOK)
            if self._terminated and not terminated:
                terminated = True
                self._ask_worker(p.Request(p.Stop(save=True), "sigterm"))
            if self._channel.readable in ready:
                reading = self._take_reports()
            for source in ready:
                self._socket.serve(source, self._answer)
            if process.sentinel in ready:
                break
        self._take_reports()  # what it sent with its last breath
        process.join()
        self._conclude(process)
        self._channel.close(process)

    def _take_reports(self) -> bool:
        reports, more = self._channel.drain()
        for report in reports:
            self._take(report)
        return more

    def _take(self, report: p.Report) -> None:
        event = report.event
        match event:
            case p.StepCompleted(step=step) | p.RunResumed(from_step=step):
                self._step = step
            case p.CheckpointSaved():
                self._restarts_since_checkpoint = 0
            case p.CommandCompleted() | p.CommandRejected() if report.command_id:
                self._pending.pop(report.command_id, None)
            case p.RunFinished() | p.RunFailed():
                self._ending = event
            case _:
                pass
        self._record(event, report.command_id, report.time)
        if isinstance(event, p.CheckpointSaved | p.RunFinished | p.RunFailed):
            self._journal.sync()

    def _conclude(self, process: BaseProcess) -> None:
        """Decide what the end of a worker means for the run."""
        stopping = self._terminated or any(isinstance(command, p.Stop) for command in self._pending.values())
        match self._ending:
            case p.RunFinished(completed=completed):
                self._record(p.StateChanged("stopping"))
                self._record(p.StateChanged("finished" if completed else "stopped"))
            case p.RunFailed(what=what):
                self._record(p.StateChanged("failed", what))
            case None:
                cause = describe_exit(process.exitcode)
                self._record(p.WorkerDied(cause, self._step))
                if stopping:
                    self._record(p.StateChanged("stopping"))
                    self._record(p.StateChanged("stopped", "the worker died before it could save"))
                elif self._restarts_since_checkpoint >= self._config.max_restarts:
                    self._give_up(cause)
                else:
                    self._restarts += 1
                    self._restarts_since_checkpoint += 1

    def _give_up(self, cause: str) -> None:
        what = f"The worker died {self._restarts_since_checkpoint + 1} times without a new checkpoint in between."
        self._record(p.RunFailed(what, f"Last: {cause}", f"See {self._log_dir}; then `shoelora-tui resume`."))
        self._record(p.StateChanged("failed", what))

    # ---- commands ---------------------------------------------------------------------------------------------------

    def _answer(self, request: p.Request) -> str:
        """Accept a command and pass it on, or say why not."""
        name = type(request.command).__name__
        reason = why_not(self._state, type(request.command))
        if request.id in self._pending:
            reason = "this request was already made"
        elif not reason and any(isinstance(command, p.Stop) for command in self._pending.values()):
            reason = "the run was already asked to stop"
        if reason:
            self._record(p.CommandRejected(name, reason), request.id)
            return reason
        self._record(p.CommandAccepted(name), request.id)
        self._pending[request.id] = request.command
        self._ask_worker(request)
        return ""

    def _ask_worker(self, request: p.Request) -> None:
        self._channel.commands.put(request)

    def _answer_pending(self) -> None:
        """Nobody may wait for an answer for ever: the run has ended."""
        for identity, command in self._pending.items():
            name = type(command).__name__
            if isinstance(command, p.Stop) and self._state is RunState.STOPPED:
                kept = "a checkpoint and the adapter were saved" if command.save else "nothing was saved"
                self._record(p.CommandCompleted(name, f"stopped at step {self._step}; {kept}"), identity)
            else:
                self._record(p.CommandRejected(name, f"the run ended first; it is {self._state.value}"), identity)

    def _on_terminate(self, *_: object) -> None:
        self._terminated = True

    # ---- the record -------------------------------------------------------------------------------------------------

    def _record(self, event: p.Event, command_id: str | None = None, moment: float | None = None) -> None:
        if isinstance(event, p.StateChanged):
            following = RunState(event.state)
            if following is self._state and following is not RunState.PREPARING:
                return
            if not may_follow(self._state, following):
                event = p.LogRecorded("error", f"The worker went from {self._state.value} to {following.value}")
            else:
                self._state = following
        record = self._journal.append(event, command_id, moment)
        if line := log_line(record):
            self._log.write(line + "\n")
            self._log.flush()


def describe_exit(exitcode: int | None) -> str:
    """Why a process ended, in words."""
    if exitcode is None or exitcode >= 0:
        return f"it exited with code {exitcode}"
    name = signal.Signals(-exitcode).name
    hints = {
        "SIGKILL": "; the system does that when memory runs out",
        "SIGABRT": "; a Metal or C++ assertion does that",
        "SIGSEGV": "; a fault in native code",
    }
    return f"it was ended by {name}{hints.get(name, '')}"


def main() -> int:
    """`python -m engine.supervisor RUN_FOLDER LOG_FOLDER`; started by engine.control."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run, log_dir = RunDir(Path(sys.argv[1])), Path(sys.argv[2])
    try:
        lock = RunLock.acquire(run)
        supervisor = Supervisor(run, run.config(), log_dir)
    except (ShoeloraError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    try:
        supervisor.serve()
    finally:
        supervisor.close()
        lock.release()
    return 0


if __name__ == "__main__":
    sys.exit(main())
