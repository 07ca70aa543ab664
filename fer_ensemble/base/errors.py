"""The errors that are ours: what a user can mend, and what another process has taken."""


class UserError(ValueError):
    """Something that whoever gave it can mend: bad input, settings that disagree, a damaged file.

    The message says what was expected, what came and what to do. The commands show it as one line; any other
    exception is a fault of this package and shows its traceback.
    """


class HeldError(RuntimeError):
    """Another process works on the same thing."""


class MissingPackageError(UserError, ImportError):
    """A package that this takes is not installed; the message names what to install."""


# What the commands tell in one line: beside our own, what the system refuses.
EXPECTED_ERRORS = (UserError, OSError, MemoryError)

# What a command that could not do its work exits with.
EXIT_ERROR = 1
EXIT_HELD = 75  # another process holds the member: try again later (EX_TEMPFAIL of sysexits.h)
EXIT_SIGNAL = 128  # plus the number of the signal that stopped us, as shells count it
