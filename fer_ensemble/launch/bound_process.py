"""Becomes another command, which the kernel ends when the process that started it dies, however it dies.

    python bound_process.py PID_OF_PARENT COMMAND ...

This is a program of its own because Python's `preexec_fn` may hang in a process with threads. Linux only:
elsewhere the command runs unbound.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # survives exec; see prctl(2)


def main(parent: str, *command: str) -> None:
    if sys.platform == "linux":
        # Not SIGTERM: nobody would be left to see to it that it is heeded.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):  # died before the line above
            sys.exit(f"the launcher (process {parent}) is gone")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
