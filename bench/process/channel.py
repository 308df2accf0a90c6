"""Messages between coordinator, fork-server and workers: JSON, framed by length, over a socket. Never pickles."""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
import time
from typing import Any

_HEADER = struct.Struct("!I")
MAX_MESSAGE_BYTES = 64 * 2**20


class Closed(Exception):
    """The other side has gone."""


class Channel:
    """One end of a socket that carries JSON messages."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = bytearray()
        self._sending = threading.Lock()  # a message is sent in two pieces; another thread's must not come between

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """Two connected ends."""
        a, b = socket.socketpair()
        return cls(a), cls(b)

    def fileno(self) -> int:
        """The socket's descriptor, so that channels can be waited for."""
        return self.sock.fileno()

    def send(self, message: Any, descriptors: tuple[int, ...] = ()) -> None:
        """Send one message, with open file descriptors beside it.

        Raises:
            Closed: the other side has gone.
        """
        payload = json.dumps(message).encode()
        try:
            with self._sending:
                if descriptors:
                    socket.send_fds(self.sock, [_HEADER.pack(len(payload))], list(descriptors))
                    self.sock.sendall(payload)
                else:
                    self.sock.sendall(_HEADER.pack(len(payload)) + payload)
        except OSError as error:
            raise Closed(str(error)) from error

    def receive(self, deadline: float | None = None) -> Any:
        """The next message; ``deadline`` is a time of ``time.monotonic()``.

        Raises:
            TimeoutError: nothing complete arrived before the deadline.
            Closed: the other side has gone, or sent what is no message.
        """
        while True:
            message = self._complete_message()
            if message is not None:
                return message[0]
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self.sock], [], [], remaining)[0]:
                raise TimeoutError
            self._read()

    def receive_with_descriptors(self) -> tuple[Any, list[int]]:
        """The next message and the descriptors that came with its header."""
        header, descriptors, _, _ = socket.recv_fds(self.sock, _HEADER.size, 8)
        if not header:
            raise Closed("end of stream")
        self._buffer += header
        while (message := self._complete_message()) is None:
            self._read(exactly=True)
        return message[0], descriptors

    def close(self) -> None:
        """Close this end."""
        self.sock.close()

    def _read(self, exactly: bool = False) -> None:
        size = 65536
        if exactly:  # never read into the next message, whose descriptors would be lost
            have = len(self._buffer)
            size = _HEADER.size - have
            if have >= _HEADER.size:
                size = _HEADER.size + _HEADER.unpack_from(self._buffer)[0] - have
        try:
            data = self.sock.recv(size)
        except OSError as error:
            raise Closed(str(error)) from error
        if not data:
            raise Closed("end of stream")
        self._buffer += data

    def _complete_message(self) -> tuple[Any] | None:
        if len(self._buffer) < _HEADER.size:
            return None
        (length,) = _HEADER.unpack_from(self._buffer)
        if length > MAX_MESSAGE_BYTES:
            raise Closed(f"a message of {length} bytes was announced")
        end = _HEADER.size + length
        if len(self._buffer) < end:
            return None
        payload = bytes(self._buffer[_HEADER.size : end])
        del self._buffer[:end]
        try:
            return (json.loads(payload),)
        except ValueError as error:
            raise Closed(f"not a message: {error}") from error
