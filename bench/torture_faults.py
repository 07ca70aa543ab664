"""Faults, and processes that they come over: ended, stopped for a while, on a disk that is full or read-only."""

import contextlib
import ctypes
import os
import pathlib
import runpy
import signal
import sys
import time
import traceback

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
KILL, TERMINATE, STOP, FULL, READ_ONLY = "SIGKILL", "SIGTERM", "SIGSTOP, SIGCONT", "full disk", "read-only"
SHARES = {KILL: 40, TERMINATE: 25, STOP: 9, FULL: 13, READ_ONLY: 13}  # in percent
STOPPED_SECONDS = 20
HUNG_SECONDS = 900  # without any use of the processor

_SIGNALS = {KILL: signal.SIGKILL, TERMINATE: signal.SIGTERM, STOP: signal.SIGSTOP}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir")  # as `sys.addaudithook` calls them
_LIBC = ctypes.CDLL(None, use_errno=True)
_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MNT_DETACH = 1, 32, 4096, 2
_PR_SET_PDEATHSIG = 1


class Disk:
    """A small file system of its own, in memory, that can be filled and made read-only; takes root.

    It is made read-only as a mount over itself: what is opened, made or moved from then on fails, as after
    `mount -o remount,ro`, which the system refuses while a file is open for writing.

    Args:
        folder: Where it is mounted; made where it is not there.
        size: In bytes.
    """

    def __init__(self, folder: pathlib.Path, size: int = 96 << 20):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._filler = folder / "filler"
        self._place = str(folder).encode()
        _call("mount", b"tmpfs", self._place, b"tmpfs", 0, f"size={size}".encode())

    def fill(self) -> None:
        """Takes all the room that is left."""
        file = os.open(self._filler, os.O_WRONLY | os.O_CREAT)
        try:
            while free := os.fstatvfs(file).f_bavail * os.fstatvfs(file).f_frsize:
                os.posix_fallocate(file, os.fstat(file).st_size, free)
        except OSError:  # others have taken it
            pass
        finally:
            os.close(file)

    def make_read_only(self) -> None:
        _call("mount", self._place, self._place, None, _MS_BIND, None)
        _call("mount", None, self._place, None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY, None)

    @property
    def failing(self) -> str | None:
        """The fault that it has now."""
        if os.statvfs(self.folder).f_flag & os.ST_RDONLY:
            return READ_ONLY
        return FULL if self._filler.exists() else None

    def mend(self) -> None:
        """Takes back what was done to it."""
        if self.failing == READ_ONLY:
            unmount(self.folder)
        self._filler.unlink(missing_ok=True)

    def remove(self) -> None:
        unmount(self.folder)
        self.folder.rmdir()


def unmount(folder: pathlib.Path) -> None:
    """Takes away the uppermost of what is mounted there."""
    _call("umount2", str(folder).encode(), _MNT_DETACH)


def _call(name, *arguments):
    if getattr(_LIBC, name)(*arguments):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def die_with_parent() -> None:
    """Has the kernel end this process when the one that forked it ends, however it does."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Attempt:
    """A command that runs, and the fault that is to come over it.

    Where the moment is a file operation of the command, the process itself counts them, with an audit hook, and
    does to itself what is to be done: so it is hit between any two of them, however short the time.

    Args:
        arguments: Of Python: a program of the repository, or `-m` and a module, and what follows.
        disk: `Disk` that it writes to.
        log: Path of the file that all it prints is appended to.
        fault: One of `SHARES`, or None.
        operation: The number of the file operation before which it comes, from 1; or None.
        seconds: Else the processor's time after which it comes.
        cold: Whether Python is started anew for it. If not, it is forked from this process, which has imported
            already what takes seconds, and cannot be otherwise told apart.
    """

    def __init__(self, arguments, disk, log, fault=None, operation=None, seconds=None, cold=False):
        self._disk, self._log = disk, log
        self._log_start = log.stat().st_size if log.exists() else 0
        self._fault, self._seconds = fault, seconds
        self.struck, self.used = False, 0.0
        self._count = pathlib.Path(f"{log}.operations")
        sys.stdout.flush()
        sys.stderr.flush()
        self._process = os.fork()
        if not self._process:
            _become(arguments, disk, log, self._count, operation and (operation, self._strike_self), cold)

    def wait(self) -> int:
        """Waits for its end, and sees to the fault; returns the exit code, that of a signal negative."""
        stopped, used_last = None, time.monotonic()
        while True:
            ended, status = os.waitpid(self._process, os.WNOHANG | os.WUNTRACED)
            if ended and os.WIFSTOPPED(status):
                self.struck, stopped = True, time.monotonic()
            elif ended:
                self.struck |= self._disk.failing is not None
                return os.waitstatus_to_exitcode(status)
            if stopped and time.monotonic() - stopped > STOPPED_SECONDS:
                os.kill(self._process, signal.SIGCONT)
                stopped = None
            used = family_seconds(self._process)
            if used > self.used or stopped:
                self.used, used_last = max(used, self.used), time.monotonic()
            if time.monotonic() - used_last > HUNG_SECONDS:
                raise RuntimeError(f"process {self._process} hangs")
            if self._seconds is not None and not self.struck and used >= self._seconds:
                self._strike(self._process)
                self.struck = True
            time.sleep(0.01)

    @property
    def operations(self) -> int:
        """How many file operations it has made; known after an end of its own."""
        return int(self._count.read_text())

    def output(self) -> str:
        return self._log.read_text(errors="replace")[self._log_start :]

    def _strike(self, process):
        if self._fault in _SIGNALS:
            os.kill(process, _SIGNALS[self._fault])
        elif self._fault == FULL:
            self._disk.fill()
        else:
            self._disk.make_read_only()

    def _strike_self(self):
        self._strike(os.getpid())


def family_seconds(process: int) -> float:
    """Returns the processor time that a process and all its descendants have used; 0 when it has ended."""
    try:
        ticks = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:15]
        children = pathlib.Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return 0.0
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK") + sum(family_seconds(int(child)) for child in children)


class _Operations:
    """An audit hook that counts what changes files below a folder, and does something before one of them."""

    def __init__(self, folder, at=None):
        self._folder = str(folder)
        self._at, self._act = at or (0, None)
        self.count = 0

    def __call__(self, event, arguments):
        if event == "open":
            path, _, flags = arguments
            if not isinstance(flags, int) or not flags & _WRITES:
                return
        elif event in _CHANGES:
            path = arguments[0]
            if event in ("os.remove", "os.rmdir") and arguments[1] != -1:  # a name in an open folder
                path = self._folder
        else:
            return
        if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(self._folder):
            self.count += 1
            if self.count == self._at:
                self._act()


def _become(arguments, disk, log, count, at, cold):
    """Turns a process that was just forked into the command, to its end."""
    code = 1
    try:
        die_with_parent()
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, file in enumerate((nothing, output, output)):
            os.dup2(file, number)
        os.chdir(REPOSITORY)
        if cold:
            os.execv(sys.executable, [sys.executable, *arguments])
        operations = _Operations(disk.folder, at)
        sys.addaudithook(operations)
        code = _run(arguments)
        count.write_text(str(operations.count))
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _run(arguments):
    """Runs a program as Python does; returns its exit code."""
    module = arguments[0] == "-m"
    sys.argv[:] = arguments[1:] if module else arguments
    try:
        if module:
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
