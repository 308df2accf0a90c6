"""The coordinator's side of workers: starting them, asking them within limits, and knowing how they ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.process import limits
from bench.process.channel import Channel, Closed
from bench.process.output import Output

ROOT = Path(__file__).resolve().parents[2]
FILE_LIMIT_BYTES = 2**30
SAMPLE_S = 0.05
START_TIMEOUT_S = 120.0
ENDED_KEPT = 1000  # workers whose ends are remembered: many more than anybody still asks about


class StartError(RuntimeError):
    """Workers cannot be started, or they are not the ones we meant to start."""


@dataclass(eq=False)  # not frozen: a context manager that an exception passes sets its traceback
class Ended(Exception):
    """A worker ended, or was ended, before it answered."""

    outcome: str
    reason: str


class Worker:
    """One worker process, asked one thing at a time."""

    def __init__(self, pid: int, channel: Channel, output: Output, launcher: Launcher, memory_limit_bytes: int | None):
        self.pid = pid
        self.channel = channel
        self._output = output
        self.launcher = launcher
        self._memory_limit_bytes = memory_limit_bytes
        self._oom_kills = limits.kernel_oom_kills()
        self._ready = False

    def ask(
        self,
        request: dict[str, Any],
        timeout_s: float,
        on_part: Callable[[dict[str, Any]], None] | None = None,
        sample_s: float = SAMPLE_S,
    ) -> Any:
        """Send a request and return its answer; parts that come before it go to ``on_part``.

        While it waits it looks at the worker's memory every ``sample_s``. Time counts from when the worker is there:
        what it imports and rehearses is ours, and no point's.

        Raises:
            Ended: the worker ended, broke a limit, or did not answer in time; it is dead then.
        """
        allowed_s = timeout_s if self._ready else START_TIMEOUT_S
        now = time.monotonic()
        deadline, look = now + allowed_s, now + sample_s
        try:
            self.channel.send(request)
            while True:
                with contextlib.suppress(TimeoutError):
                    message = self.channel.receive(min(deadline, look))
                    if "answer" in message:
                        return message["answer"]
                    if "part" in message and on_part is not None:
                        on_part(message["part"])
                    if "ready" in message and not self._ready:  # once: nobody prolongs its own time
                        self._ready, allowed_s = True, timeout_s
                        deadline = time.monotonic() + allowed_s
                now = time.monotonic()
                if now >= min(deadline, look):  # however much it says meanwhile
                    self._check(deadline, allowed_s)
                    look = now + sample_s
        except Closed:
            raise self._how_it_ended() from None
        except (KeyError, TypeError, AttributeError) as error:
            self.kill()
            raise Ended("crashed", f"the worker sent nonsense: {error!r}") from None

    def _check(self, deadline: float, timeout_s: float) -> None:
        if time.monotonic() >= deadline:
            self.kill()
            raise Ended("timeout", f"no answer within {timeout_s:g} s")
        if self._memory_limit_bytes is None:
            return
        used = limits.family_memory_bytes(self.pid, enough_bytes=self._memory_limit_bytes)
        if used > self._memory_limit_bytes:
            self.kill()
            raise Ended(
                "out_of_memory",
                f"the worker and its children held {used / 2**30:.2f} GiB, over the limit of "
                f"{self._memory_limit_bytes / 2**30:.2f} GiB",
            )

    def _how_it_ended(self) -> Ended:
        code = self.launcher.wait(self.pid, timeout_s=2.0)
        if code is None:  # it closed its end of the channel and lives on
            self.kill()
            return Ended("crashed", "the worker closed its channel without an answer")
        if code == -signal.SIGKILL and limits.kernel_oom_kills() > self._oom_kills:
            return Ended("out_of_memory", "killed by the kernel, which ran out of memory")
        if code < 0:
            with contextlib.suppress(ValueError):
                return Ended("crashed", f"killed by {signal.Signals(-code).name}")
            return Ended("crashed", f"killed by signal {-code}")
        return Ended("crashed", f"exited with status {code} without an answer")

    def kill(self) -> None:
        """End the worker and everything it started."""
        self.launcher.kill(self.pid)

    def is_light(self, below_bytes: int) -> bool:
        """Whether the worker has no children, and holds less than so much more memory than it was born with."""
        held = limits.anonymous_bytes(self.pid) - self.launcher.born_with_bytes()
        return not limits.children(self.pid) and held < below_bytes

    def has_ended(self) -> bool:
        """Whether it is known to have ended."""
        return self.launcher.wait(self.pid, timeout_s=0.0) is not None

    def pause(self) -> None:
        """Stop the worker, and what it started in its process group, until `resume`: it takes no time from others."""
        self._signal(signal.SIGSTOP)

    def resume(self, cpus: list[int] | None = None) -> None:
        """Let a stopped worker go on, all its threads pinned to ``cpus`` if any are given."""
        if cpus is not None:
            with contextlib.suppress(OSError):
                for thread in os.listdir(f"/proc/{self.pid}/task"):
                    os.sched_setaffinity(int(thread), cpus)
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def printed(self) -> str:
        """What the worker has printed so far, shortened."""
        return self._output.text(wait_s=0.0)

    def end(self) -> None:
        """Have the worker ended, without waiting for it."""
        self.channel.close()
        if self.launcher.wait(self.pid, timeout_s=0.0) is None:
            self.kill()

    def close(self) -> str:
        """End the worker and return what it printed, shortened."""
        self.end()
        self.launcher.wait(self.pid, timeout_s=10.0)
        return self._output.text()


def dismiss(workers: Sequence[Worker]) -> list[str]:
    """End workers that have answered what they were asked, and return what each printed.

    Waiting until the kernel has taken a process apart costs milliseconds: it does so beside what comes next. A GPU's
    memory is free only then, so workers that hold any are waited for.
    """
    for worker in workers:
        worker.end()
    return [worker.close() if worker.launcher.must_wait else worker.printed() for worker in workers]


class Launcher:
    """Starts workers; knows how each of them ended.

    Attributes:
        must_wait: whether what a worker holds is another's only once it has ended.
    """

    must_wait = False

    def start(self, memory_limit_bytes: int | None = None, cpus: list[int] | None = None) -> Worker:
        """Start one worker.

        Raises:
            StartError: it does not start.
        """
        ours, theirs = Channel.pair()
        output = Output()
        try:
            pid = self._launch(theirs.sock, output.descriptor, memory_limit_bytes, cpus)
        finally:
            theirs.close()
            os.close(output.descriptor)
        return Worker(pid, ours, output, self, memory_limit_bytes)

    def _launch(
        self, theirs: socket.socket, output: int, memory_limit_bytes: int | None, cpus: list[int] | None
    ) -> int:
        raise NotImplementedError

    def born_with_bytes(self) -> int:
        """What a new worker shares with whoever started it."""
        return 0

    def wait(self, pid: int, timeout_s: float) -> int | None:
        """The exit code of a worker (negative: the signal), or None if it still runs."""
        raise NotImplementedError

    def kill(self, pid: int) -> None:
        """End a worker and its family."""
        raise NotImplementedError

    def close(self) -> None:
        """End everything that was started."""


class ForkServer(Launcher):
    """Forks workers from one warm process: for CPU points."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        ours, theirs = Channel.pair()
        self._channel = ours
        self._exits: dict[int, int] = {}
        self._forked: list[int] = []
        self._gone = False
        self._condition = threading.Condition()
        self._fork_lock = threading.Lock()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115, read if the server dies
        self._process = subprocess.Popen(
            python("from bench.process.server import main", f"main({theirs.fileno()})"),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self._errors,
            stderr=self._errors,
            env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", **(environment or {})},
            start_new_session=True,
        )
        theirs.close()
        try:
            self.origins: dict[str, Any] = ours.receive(time.monotonic() + START_TIMEOUT_S)
        except (Closed, TimeoutError) as error:
            self._process.kill()
            self._process.wait()
            self._errors.seek(0)
            trace = self._errors.read().decode(errors="replace")[-2000:]
            raise StartError(f"the fork-server did not start ({type(error).__name__}): {trace}") from error
        threading.Thread(target=self._listen, daemon=True, name="fork-server-listener").start()

    def _listen(self) -> None:
        with contextlib.suppress(Closed, OSError, ValueError):
            while True:
                message = self._channel.receive()
                with self._condition:
                    if "forked" in message:
                        self._exits.pop(message["forked"], None)  # of an earlier process with that number
                        self._forked.append(message["forked"])
                    if "exited" in message:
                        self._exits[message["exited"]] = message["code"]
                        if len(self._exits) > ENDED_KEPT:
                            del self._exits[next(iter(self._exits))]
                    self._condition.notify_all()
        with self._condition:
            self._gone = True
            self._condition.notify_all()

    def _launch(
        self, theirs: socket.socket, output: int, memory_limit_bytes: int | None, cpus: list[int] | None
    ) -> int:
        request = {"memory_limit_bytes": memory_limit_bytes, "cpus": cpus, "file_limit_bytes": FILE_LIMIT_BYTES}
        with self._fork_lock:
            try:
                self._channel.send(request, (theirs.fileno(), output))
            except Closed as error:
                raise StartError("the fork-server has gone") from error
            with self._condition:
                self._condition.wait_for(lambda: self._forked or self._gone, timeout=START_TIMEOUT_S)
                if not self._forked:
                    raise StartError("the fork-server has gone")
                return self._forked.pop()

    def born_with_bytes(self) -> int:
        """As `Launcher.born_with_bytes`."""
        return limits.anonymous_bytes(self._process.pid)

    def wait(self, pid: int, timeout_s: float) -> int | None:
        """As `Launcher.wait`; a server that has gone took its workers with it."""
        with self._condition:
            self._condition.wait_for(lambda: pid in self._exits or self._gone, timeout=timeout_s)
            if pid not in self._exits and self._gone:
                return -signal.SIGKILL
            return self._exits.get(pid)

    def kill(self, pid: int) -> None:
        """As `Launcher.kill`."""
        with contextlib.suppress(Closed):
            self._channel.send({"kill": pid})

    def close(self) -> None:
        """As `Launcher.close`."""
        with contextlib.suppress(OSError):
            self._channel.sock.shutdown(socket.SHUT_RDWR)
        self._channel.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            limits.kill_family(self._process.pid)
            self._process.wait()


class Spawner(Launcher):
    """Starts every worker from nothing: for CUDA, whose context does not survive a fork."""

    must_wait = True

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        self._environment = environment or {}
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def _launch(
        self, theirs: socket.socket, output: int, memory_limit_bytes: int | None, cpus: list[int] | None
    ) -> int:
        process = subprocess.Popen(
            python("from bench.worker import main", f"main({theirs.fileno()}, {cpus!r})"),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", **self._environment},
            start_new_session=True,
        )
        for pid in [pid for pid, one in list(self._processes.items()) if one.returncode is not None][:-ENDED_KEPT]:
            del self._processes[pid]
        self._processes[process.pid] = process
        return process.pid

    def wait(self, pid: int, timeout_s: float) -> int | None:
        """As `Launcher.wait`; a server that has gone took its workers with it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._processes[pid].wait(timeout=timeout_s)
        return None

    def kill(self, pid: int) -> None:
        """As `Launcher.kill`."""
        limits.kill_family(pid)

    def close(self) -> None:
        """As `Launcher.close`."""
        for pid, process in self._processes.items():
            if process.poll() is None:
                limits.kill_family(pid)
                process.wait()


def python(*statements: str) -> list[str]:
    """A command that runs statements with this checkout's ``bench`` and the *installed* ``estimators``.

    The checkout is appended to the path, and the current folder kept off it (-P): it must not shadow the estimators
    that the interpreter has installed, which may be those of another commit.
    """
    return [sys.executable, "-P", "-c", "; ".join((f"import sys; sys.path.append({str(ROOT)!r})", *statements))]
