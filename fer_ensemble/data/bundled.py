"""The drawn sample that comes with the package, under the name by which people ask for it."""

import pathlib

SAMPLE = "data/sample.csv.gz"  # what --data says if it says nothing; old members' commands have it, too
SAMPLE_FILE = pathlib.Path(__file__).parents[1] / "assets" / "sample.csv.gz"


def find_bundled(path: pathlib.Path) -> pathlib.Path:
    """Returns the bundled sample's path for `data/sample.csv.gz`, in whatever folder, where there is no such file.

    Args:
        path: `pathlib.Path`; any other is returned as it is.
    """
    return SAMPLE_FILE if path.parts[-2:] == pathlib.PurePath(SAMPLE).parts and not path.exists() else path
