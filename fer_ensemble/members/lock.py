"""A member belongs to one process at a time."""

import contextlib
import pathlib
from collections.abc import Iterator

from fer_ensemble.base.atomic_files import check_no_folder
from fer_ensemble.base.errors import HeldError
from fer_ensemble.members.directory import RECORD, UNFINISHED
from fer_ensemble.members.notes import describe_holder, read_progress
from fer_ensemble.members.replacement import work_folder

LOCK = "lock"  # file in the member's folder


@contextlib.contextmanager
def held(folder: pathlib.Path) -> Iterator[None]:
    """Holds a member for this process alone; a holder that dies, however it dies, lets go.

    It is the kernel's `flock` on a file that stays: no process has to be left to renew it or clean up. Between
    nodes it holds where the file system has one `flock` for all of them: NFS 4, CephFS, GPFS, BeeGFS and Lustre as
    usually set up. On Lustre mounted with `localflock` each node sees its own locks only; there it is for the
    scheduler to start each member once.

    Raises:
        HeldError: If another process holds it.
        IsADirectoryError: If a folder is in the place of one of its files: it would be found when all is computed.
    """
    import filelock

    folder.mkdir(parents=True, exist_ok=True)
    for name in (LOCK, RECORD, *UNFINISHED):
        check_no_folder(folder / name)
    lock = filelock.FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=1)  # `is_held` holds it, too, for an instant
    except filelock.Timeout:
        holder = read_progress(work_folder(folder))
        who = f" ({describe_holder(holder)})" if holder else ""
        raise HeldError(f"{folder} is being trained by another process{who}.") from None
    try:
        yield
    finally:
        lock.release()


def is_held(folder: pathlib.Path) -> bool:
    """Whether a process holds the member: asked of the lock, so that one that died does not count."""
    try:
        import fcntl
    except ImportError:  # Windows, where nothing is trained
        return False
    try:
        with (folder / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # never begun, or a file system without flock
        return False
    return False
