"""The supervisor: owns one run's lock, journal and socket, and keeps its worker alive. No torch, no Textual."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import wait
from pathlib import Path

from engine.contract import protocol as p
from engine.contract.adjustments import apply, changed, next_smaller, read_adjustments, write_adjustments
from engine.contract.config import TrainingConfig
from engine.contract.errors import ShoeloraError
from engine.contract.run_dir import RunDir, RunLock
from engine.contract.run_state import RunState, why_not
from engine.control_socket import ControlSocket
from engine.pending_commands import PendingCommands
from engine.run_record import RunRecord
from engine.wakefulness import Wakefulness
from engine.worker_process import WorkerProcess

LOOK = 0.5  # seconds; how late a signal or a silence may be noticed, everything else wakes the loop at once
REFUSAL_INTERVAL = 10.0  # seconds between two lines about refused requests


class Supervisor:
    """One supervised run. `serve` returns when the run has reached a final state."""

    def __init__(self, run: RunDir, config: TrainingConfig, log_dir: Path, allow_changed_data: bool) -> None:
        self._run = run
        self._config = config
        self._log_dir = log_dir
        self._allow_changed_data = allow_changed_data
        self._record = RunRecord(run, log_dir)
        self._socket = ControlSocket(run)
        self._wakefulness = Wakefulness()
        self._worker: WorkerProcess
        self._step = 0
        self._restarts = 0
        self._restarts_since_checkpoint = 0
        self._pending = PendingCommands(self._record)
        self._ending: p.RunFinished | p.RunFailed | None = None
        self._terminated = False
        self._exported = False  # whether the present worker has written the adapter
        self._pause_next = False  # whether the next worker shall pause, as the one before it had
        self._refused_told, self._refused_time = 0, -REFUSAL_INTERVAL

    def serve(self) -> None:
        """Start workers until the run has ended; take commands and reports meanwhile."""
        signal.signal(signal.SIGTERM, self._on_terminate)
        self._record.write(p.RunStarted(self._run.name, os.getpid(), self._config.max_train_steps, str(self._log_dir)))
        while not self._record.state.is_final:
            self._record.write(p.StateChanged("preparing"))
            self._run_worker()
        self._pending.answer_at_end(self._step, self._ending is not None, self._exported)

    def close(self) -> None:
        """Leave nothing behind but the journal and the log."""
        self._tell_refused(at_once=True)
        self._socket.close()
        self._record.close()

    # ---- the worker -------------------------------------------------------------------------------------------------

    def _run_worker(self) -> None:
        self._worker = worker = WorkerProcess(
            self._run, self._log_dir, self._allow_changed_data, self._config.num_processes
        )
        self._record.write(p.WorkerStarted(worker.pid, self._restarts))
        self._pending.complete_restarts(worker.pid)
        self._exported = False
        told_to_stop_in: RunState | None = None
        ready: Sequence[object] = ()
        while worker.sentinel not in ready:
            ready = wait([worker.sentinel, *self._socket.readable, *worker.readable], LOOK)
            if self._terminated and told_to_stop_in not in {self._record.state, RunState.PAUSED}:
                # Again if a full disk holds the first one.
                again = told_to_stop_in is None or self._record.state is RunState.PAUSED
                if again and worker.send(p.Request(p.Stop(save=True), "sigterm")):
                    told_to_stop_in = self._record.state
            self._take_reports()
            for source in ready:
                self._socket.serve(source, self._answer)
            self._look_after()
        self._take_reports()  # what it sent with its last breath
        self._wakefulness.keep_for(None)
        self._conclude(*worker.bury())

    def _look_after(self) -> None:
        """What is due at every turn of the loop, whatever woke it."""
        if (silence := self._worker.liveness.remarkable_silence()) is not None:
            self._record.write(p.WorkerStalled(round(silence, 1)))
        self._wakefulness.keep_for(None if self._record.state is RunState.PAUSED else self._worker.pid)
        self._tell_refused()
        self._record.catch_up()

    def _take_reports(self) -> None:
        for report in self._worker.take_reports():
            event = report.event
            match event:
                case p.StepCompleted(step=step) | p.RunResumed(from_step=step):
                    self._step = step
                case p.CheckpointSaved():
                    self._restarts_since_checkpoint = 0
                case p.AdapterExported():
                    self._exported = True
                case p.StateChanged(state="running") if self._pause_next:
                    self._pause_next = not self._worker.send(p.Request(p.Pause(), "paused before"))
                case p.CommandCompleted() | p.CommandRejected() if report.command_id:
                    self._pending.answered(report.command_id)
                case p.RunFinished() | p.RunFailed():
                    self._ending = event
                case _:
                    pass
            self._record.write(event, report.command_id, report.time)
            if isinstance(event, p.CheckpointSaved | p.RunFinished | p.RunFailed):
                self._record.sync()

    def _conclude(self, cause: str, memory_ran_out: bool) -> None:
        """Decide what the end of a worker means for the run."""
        match self._ending:
            case p.RunFinished(completed=completed):
                self._record.write(p.StateChanged("stopping"))
                self._record.write(p.StateChanged("finished" if completed else "stopped"))
            case p.RunFailed(what=what):
                self._record.write(p.StateChanged("failed", what))
            case None:
                self._after_death(cause, memory_ran_out)

    def _after_death(self, cause: str, memory_ran_out: bool) -> None:
        """Restart the worker, unless the run was to end anyway or it dies too often."""
        asked = self._pending.has(p.RestartWorker)
        self._pause_next = self._pause_next or self._record.state is RunState.PAUSED
        self._record.write(p.WorkerDied(p.ENDED_ON_COMMAND if asked else cause, self._step))
        if self._terminated or (self._pending.has(p.Stop) and not asked):
            self._record.write(p.StateChanged("stopping"))
            self._record.write(p.StateChanged("stopped", "the worker died before it could save"))
            return
        self._pending.reject_all_but_restarts(
            "the worker was restarted" if asked else f"the worker died first: {cause}"
        )
        if memory_ran_out and not asked:
            self._use_less_memory(cause)
        elif not asked:
            self._count_death(cause)
        self._restarts += 1

    def _count_death(self, cause: str) -> None:
        if self._restarts_since_checkpoint < self._config.max_restarts:
            self._restarts_since_checkpoint += 1
            return
        deaths = self._restarts_since_checkpoint + 1
        times = "once, and max_restarts is 0" if deaths == 1 else f"{deaths} times without a new checkpoint in between"
        what = f"The worker died {times}"
        self._fail(what, f"Last: {cause}.", f"See {self._log_dir}; then `shoelora-tui resume`.")

    def _use_less_memory(self, cause: str) -> None:
        """Before the next worker starts, write down the next way to compute the same in less memory."""
        try:
            present = apply(self._config, read_adjustments(self._run))
            smaller = next_smaller(present)
            if smaller:
                write_adjustments(self._run, smaller)
                self._record.write(changed(smaller, self._config))
                return  # not counted: there are only so many smaller ones
        except (ShoeloraError, OSError) as error:
            self._record.write(p.LogRecorded("error", f"The micro-batch could not be made smaller: {error}"))
            self._count_death(cause)
            return
        self._fail(
            "Memory ran out.",
            f"The worker died: {cause}; the micro-batch is {present.micro_batch_size} and gradient_checkpointing "
            f"{present.checkpointing_mode} already.",
            "Close other programs, or start a run with a smaller resolution or base model; then `shoelora-tui resume`.",
        )

    def _fail(self, what: str, why: str, remedy: str) -> None:
        self._record.write(p.RunFailed(what, why, remedy))
        self._record.write(p.StateChanged("failed", what))

    # ---- commands ---------------------------------------------------------------------------------------------------

    def _answer(self, request: p.Request) -> str:
        """Accept a command and pass it on, or say why not."""
        if reason := self._why_not(request):
            self._record.write(p.CommandRejected(type(request.command).__name__, reason), request.id)
            return reason
        self._pending.accept(request)
        if isinstance(request.command, p.RestartWorker):
            self._worker.kill()
        return ""

    def _why_not(self, request: p.Request) -> str:
        """Why a request is refused; empty if it is not, and then the worker has it, unless it is about the worker."""
        if request.id in self._pending:
            return "this request was already made"
        if reason := why_not(self._record.state, type(request.command)):
            return reason
        if isinstance(request.command, p.RestartWorker):
            return ""
        if self._pending.has(p.Stop) and self._record.state is not RunState.PAUSED:  # a full disk may hold the stop
            return "the run was already asked to stop"
        return "" if self._worker.send(request) else "the worker has left too many commands unread; restart it"

    def _tell_refused(self, at_once: bool = False) -> None:
        """One line about all requests that were refused lately, since anybody may send many."""
        new, now = self._socket.refused - self._refused_told, time.monotonic()
        if new and (at_once or now - self._refused_time >= REFUSAL_INTERVAL):
            self._refused_told, self._refused_time = self._socket.refused, now
            requests = "1 request was" if new == 1 else f"{new} requests were"
            text = f"{requests} refused on the control socket; the last: {self._socket.last_refusal}"
            self._record.write(p.LogRecorded("warning", text))

    def _on_terminate(self, *_: object) -> None:
        self._terminated = True


def main() -> int:
    """`python -m engine.supervisor RUN_FOLDER LOG_FOLDER [--allow-changed-data]`; started by engine.control."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run, log_dir = RunDir(Path(sys.argv[1])), Path(sys.argv[2])
    try:
        lock = RunLock.acquire(run)
        supervisor = Supervisor(run, run.config(), log_dir, allow_changed_data="--allow-changed-data" in sys.argv[3:])
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
