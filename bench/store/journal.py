"""Which of SQLite's journals keeps a store safe where it lies."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from bench.store import errors

# SQLite's write-ahead log needs memory shared between processes, which these do not give across hosts.
NETWORK_FILE_SYSTEMS = frozenset(
    {
        *("nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "afpfs", "webdav", "davfs", "9p"),
        *("virtiofs", "lustre", "gpfs", "beegfs", "beegfs_nodev", "ceph", "glusterfs", "orangefs", "pvfs2", "panfs"),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.gcsfuse", "fuse.s3fs"),
    }
)


def choose(connection: sqlite3.Connection, path: Path) -> None:
    """The write-ahead log; a rollback journal on a network file system."""
    mode = "DELETE" if on_network_file_system(path) else "WAL"
    deadline = time.monotonic() + errors.BUSY_SECONDS
    while True:  # changing the mode does not wait for other processes by itself
        try:
            connection.execute(f"PRAGMA journal_mode = {mode}")
            return
        except sqlite3.OperationalError as error:
            busy = getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def on_network_file_system(path: Path) -> bool:
    """Whether the path lies on a file system that several hosts may share."""
    import psutil

    folder = path.resolve().parent
    best, kind = -1, ""
    for partition in psutil.disk_partitions(all=True):
        mount = Path(partition.mountpoint)
        if (mount == folder or mount in folder.parents) and len(mount.parts) >= best:
            best, kind = len(mount.parts), partition.fstype.lower()
    return kind in NETWORK_FILE_SYSTEMS
