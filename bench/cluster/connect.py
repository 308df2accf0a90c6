"""Reaching a Dask scheduler at its address, or starting workers on this machine."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from bench.cluster.errors import ClusterError

if TYPE_CHECKING:
    from distributed import Client

CONNECT_WITHIN_S = 10
LOCAL = re.compile(r"local:([1-9]\d*)")
ADDRESS = re.compile(r"(tcp|tls|ws|wss|ucx)://[^\s:]+(:\d+)?|[^\s:/]+:\d+")


def check_address(address: str) -> None:
    """Refuse what is neither ``local:N`` nor a scheduler's address.

    Raises:
        ValueError: it is neither.
    """
    if not LOCAL.fullmatch(address) and (address.startswith("local:") or not ADDRESS.fullmatch(address)):
        raise ValueError(f"an address is local:N, HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT; got {address!r}")


@contextlib.contextmanager
def connected(address: str, parts: Sequence[Sequence[int]] | None = None) -> Iterator[Client]:
    """A client of the scheduler at ``address``, or of N workers started here for ``local:N``, which end with it.

    Args:
        address: as `check_address` wants it.
        parts: the cores of each worker that is started here; by default equal shares of all that are usable.

    Raises:
        ClusterError: Dask is not installed, or nobody answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ClusterError(f"--dask needs Dask ({error}): pip install -r requirements-dask.txt") from None
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"]:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # what matters is said in our own lines
    local = LOCAL.fullmatch(address)
    with _here(int(local[1]), parts) if local else contextlib.nullcontext(address) as where:
        try:
            client = Client(where, timeout=CONNECT_WITHIN_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError, RuntimeError, ImportError) as error:
            why = " ".join(str(error).split())[:200]
            raise ClusterError(f"no Dask scheduler answers at {address}: {why}") from None
        with client:
            yield client


def _here(count: int, parts: Sequence[Sequence[int]] | None) -> AbstractContextManager[Any]:
    from bench.cluster.slots import shares, slots

    return slots(parts or shares(count))
