"""A member that is trained afresh: what was complete stays until the new training is, too."""

import pathlib
import shutil

from fer_ensemble.members.directory import RECORD, UNFINISHED, is_complete

NEW = "new"  # folder, in a complete member's, of the training that is to replace it
_BEGUN = ".begun"  # file in `new/` until the training puts its own there: an empty `new/` has been moved


def is_replaced(folder: pathlib.Path) -> bool:
    """Whether a training is to replace the member. Until it is complete, the old member stays as it was."""
    return (folder / NEW).is_dir()


def work_folder(folder: pathlib.Path) -> pathlib.Path:
    """Returns where an unfinished training keeps its files: the member's folder, or `new/` in it."""
    return folder / NEW if is_replaced(folder) else folder


def begin_afresh(folder: pathlib.Path) -> None:
    """Has a member trained afresh: a complete one stays until it is replaced, an unfinished one is removed."""
    if is_complete(folder):
        shutil.rmtree(folder / NEW, ignore_errors=True)
        (folder / NEW).mkdir()
        (folder / NEW / _BEGUN).touch()
        return
    for name in UNFINISHED:
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "tensorboard", ignore_errors=True)


def finish_replacement(folder: pathlib.Path) -> None:
    """Moves a complete training from `new/` into the member's place.

    The record goes first and comes last, so that no moment shows a mixture as complete. Called again after a kill
    in between, it does the rest.
    """
    new = folder / NEW
    if is_complete(folder) and is_replaced(folder) and not any(new.iterdir()):
        new.rmdir()  # all was moved, and a kill came just before
    if not is_complete(new):
        return
    (new / _BEGUN).unlink(missing_ok=True)
    (folder / RECORD).unlink(missing_ok=True)
    for cache in folder.glob("predictions-*.h5"):  # of the old network
        cache.unlink()
    shutil.rmtree(folder / "tensorboard", ignore_errors=True)
    names = {path.name for path in new.iterdir()} - {RECORD}
    for name in (*sorted(names), RECORD):
        (new / name).replace(folder / name)
    new.rmdir()
