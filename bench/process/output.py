"""What a worker prints: drained as it comes, so that nobody blocks and no disk fills, and the two ends of it kept."""

from __future__ import annotations

import os
import re
import select
import threading

KEPT_CHARACTERS = 4000
READS_AT_ONCE = 64  # of up to 64 KiB: somebody who prints without end must not keep anyone


class Output:
    """A pipe for a worker's standard output and error.

    Attributes:
        descriptor: the end that the worker writes to; close it here once the worker has it.
    """

    def __init__(self) -> None:
        self._read, self.descriptor = os.pipe()
        self._head, self._tail, self._total = b"", b"", 0
        self._ended = False
        self._reading = threading.Lock()
        self._thread = threading.Thread(target=self._drain, daemon=True, name="output")
        self._thread.start()

    def _drain(self) -> None:
        while not self._ended:
            select.select([self._read], [], [])
            self._take()
        os.close(self._read)

    def _take(self) -> None:
        """Read what lies in the pipe, without waiting for more, and not for ever."""
        with self._reading:
            for _ in range(READS_AT_ONCE):
                if self._ended or not select.select([self._read], [], [], 0)[0]:
                    break
                data = os.read(self._read, 65536)
                self._ended = not data
                self._total += len(data)
                missing = KEPT_CHARACTERS - len(self._head)
                self._head += data[:missing]
                self._tail = (self._tail + data[missing:])[-KEPT_CHARACTERS:]

    def text(self, wait_s: float = 1.0) -> str:
        """What was printed until now, or within ``wait_s`` until the worker has ended: its beginning and its end."""
        self._thread.join(wait_s)
        self._take()
        left_out = self._total - len(self._head) - len(self._tail)
        text = self._head.decode(errors="replace")
        if left_out > 0:
            text += f"\n[… {left_out} bytes left out …]\n"
        text += self._tail.decode(errors="replace")
        return re.sub(r"^USDT:.*\n?", "", text, flags=re.MULTILINE).strip()  # torch's profiler announces itself
