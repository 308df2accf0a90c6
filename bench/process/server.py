"""The fork-server: a process that has imported torch and computed nothing, and forks a worker when asked.

Forking costs milliseconds where importing torch costs most of a second, and a child forked from a process that never
computed inherits no thread pool. The server adopts orphans, so whatever a worker leaves behind becomes the server's
child and is killed; when the coordinator goes, the end of the pipe makes the server kill everything and leave.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import warnings
from dataclasses import dataclass
from typing import Any, NoReturn

from bench.process import limits
from bench.process.channel import Channel, Closed


def main(descriptor: int) -> None:
    """Serve fork requests on the socket ``descriptor`` until the coordinator goes."""
    warnings.simplefilter("ignore")
    limits.adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator decides what Ctrl-C means
    channel = Channel(socket.socket(fileno=descriptor))
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(wake_read, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)

    from bench import worker  # imports torch and the estimators, once for all workers

    worker.warm_up()
    channel.send({"ready": os.getpid(), **worker.origins()})

    live: set[int] = set()
    ours = [channel.fileno(), wake_read, wake_write]
    spare = _Spare.fork(ours)
    try:
        while True:
            ready, _, _ = select.select([channel.fileno(), wake_read], [], [], None)
            if wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_read, 4096)
                _reap(channel, live, spare.pid)
            if channel.fileno() in ready:
                request, descriptors = channel.receive_with_descriptors()
                if "kill" in request:
                    if request["kill"] in live:
                        limits.kill_family(request["kill"])
                    continue
                _kill_strays(live, spare.pid)
                while not spare.give(request, descriptors):  # it died while it waited
                    spare = _Spare.fork([*ours, *descriptors])
                live.add(spare.pid)
                for fd in descriptors:
                    os.close(fd)
                channel.send({"forked": spare.pid})
                spare = _Spare.fork(ours)
    except Closed:
        pass
    finally:
        for process in limits.family(os.getpid())[1:]:
            limits.kill_family(process)
        os._exit(0)


def _reap(channel: Channel, live: set[int], spare: int) -> None:
    """Report workers that ended, and kill what they left behind."""
    ended = False
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == 0:
            break
        if pid in live:
            live.discard(pid)
            ended = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            channel.send({"exited": pid, "code": os.waitstatus_to_exitcode(status)})
    if ended:
        _kill_strays(live, spare)


def _kill_strays(live: set[int], spare: int) -> None:
    """Kill what workers left behind: orphans, which this process has adopted."""
    for child in set(limits.children(os.getpid())) - live - {spare}:
        limits.kill_family(child)


@dataclass(frozen=True)
class _Spare:
    """A process forked beforehand, which rehearses and then waits for a point to be given to it."""

    pid: int
    channel: Channel

    @classmethod
    def fork(cls, ours: list[int]) -> _Spare:
        """Fork one; ``ours`` are the server's descriptors, which are not for it."""
        near, far = Channel.pair()
        pid = os.fork()
        if pid == 0:
            near.close()
            _become_worker(far, ours)
        far.close()
        return cls(pid, near)

    def give(self, request: dict[str, Any], descriptors: list[int]) -> bool:
        """Hand over what a worker is to be, with its socket and its output; says whether it was taken."""
        try:
            self.channel.send(request, tuple(descriptors))
            return True
        except Closed:
            return False
        finally:
            self.channel.close()


def _become_worker(orders: Channel, theirs: list[int]) -> NoReturn:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        limits.die_with_parent()
        for fd in theirs:
            os.close(fd)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.close(null)
        limits.first_to_be_killed()

        from bench import rehearsal, worker

        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(allowed)})  # timing is pinned to the last cores
        with contextlib.suppress(BaseException):  # it only saves time: what fails here fails in the point too
            rehearsal.rehearse()
        os.sched_setaffinity(0, allowed)
        request, (talk, output) = orders.receive_with_descriptors()
        orders.close()
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        limits.limit_files(request["file_limit_bytes"])
        if request.get("memory_limit_bytes"):
            limits.limit_memory(request["memory_limit_bytes"])
        if request.get("cpus"):
            os.sched_setaffinity(0, request["cpus"])
        worker.serve(Channel(socket.socket(fileno=talk)))
        code = 0
    except Closed:
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
