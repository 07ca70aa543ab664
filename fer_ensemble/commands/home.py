"""A home folder for whoever has none: services and containers run as a user that the system does not know."""

import os


def provide_home() -> None:
    """Sets HOME, where it is not set and the system knows no home of this user, to a folder of the user's own.

    matplotlib and Keras look for their settings there, and end where they cannot know it. The folder lies among
    the temporary files, and only this user can read or write it.
    """
    if "HOME" in os.environ or os.name != "posix" or _known():
        return
    import stat
    import tempfile

    path = os.path.join(tempfile.gettempdir(), f"fer-ensemble-{os.getuid()}")  # noqa: PTH118
    try:
        os.mkdir(path, 0o700)  # noqa: PTH102
    except FileExistsError:
        status = os.lstat(path)
        # Somebody else may have made it, to have us read what is theirs.
        if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o077:
            path = tempfile.mkdtemp(prefix="fer-ensemble-")
    os.environ["HOME"] = path


def _known():
    import pwd

    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    return True
