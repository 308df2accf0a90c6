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
from typing import Any

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
    try:
        while True:
            ready, _, _ = select.select([channel.fileno(), wake_read], [], [], None)
            if wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_read, 4096)
                _reap(channel, live)
            if channel.fileno() in ready:
                request, descriptors = channel.receive_with_descriptors()
                if "kill" in request:
                    if request["kill"] in live:
                        limits.kill_family(request["kill"])
                    continue
                pid = _fork(request, descriptors, [channel.fileno(), wake_read, wake_write])
                live.add(pid)
                for fd in descriptors:
                    os.close(fd)
                channel.send({"forked": pid})
    except Closed:
        pass
    finally:
        for process in limits.family(os.getpid())[1:]:
            limits.kill_family(process.pid)
        os._exit(0)


def _reap(channel: Channel, live: set[int]) -> None:
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
        for child in limits.family(os.getpid())[1:]:
            with contextlib.suppress(Exception):
                if child.ppid() == os.getpid() and child.pid not in live:
                    limits.kill_family(child.pid)


def _fork(request: dict[str, Any], descriptors: list[int], ours: list[int]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        limits.die_with_parent()
        for fd in ours:
            os.close(fd)
        talk, output = descriptors
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        os.close(null)
        limits.first_to_be_killed()
        limits.limit_files(request["file_limit_bytes"])
        if request.get("memory_limit_bytes"):
            limits.limit_memory(request["memory_limit_bytes"])
        if request.get("cpus"):
            os.sched_setaffinity(0, request["cpus"])

        from bench import worker

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
    raise AssertionError("unreachable")
