"""Coverage-guided fuzzing of what reads people's data: CSVs, archives, pictures, .h5.

pip install atheris
python bench/fuzz.py [SECONDS]

libFuzzer mutates the bytes of small whole files, and keeps what reaches new code in the readers and in
zipfile, tarfile, gzip and csv. Whatever comes is a data set or a `UserError`; anything else ends the run, with
the file that did it as crash-*, as does an input that takes a minute or 2 GB. The last lines count the trials.
"""

import pathlib
import sys
import tempfile

import atheris

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

with atheris.instrument_imports(include=["fer_ensemble", "zipfile", "tarfile", "gzip", "csv"]):
    import csv  # noqa: F401
    import gzip
    import io
    import tarfile  # noqa: F401
    import zipfile

    from fer_ensemble.base.errors import UserError
    from fer_ensemble.data.contents import make_dataset
    from fer_ensemble.data.dataset_file import write_dataset
    from fer_ensemble.data.readers.bad_rows import BadRows
    from fer_ensemble.data.store import convert_inputs, is_hdf5, read_dataset

import numpy as np
from PIL import Image

from tests.archives import tarred, zipped

FOLDER = pathlib.Path(tempfile.mkdtemp())
ROW = " ".join(["7"] * 2304)
CSV = f'emotion,pixels,Usage\n3,{ROW},Training\n"4","{ROW}",PublicTest\n'.encode()


def make_seeds(folder):
    """Writes small whole files of each kind."""
    pictures = {}
    for form in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"):
        buffer = io.BytesIO()
        Image.new("RGB", (5, 4), (9, 99, 200)).save(buffer, form)
        pictures[f"train/{form}/1.{form.lower()}"] = buffer.getvalue()
    seeds = [
        CSV,
        gzip.compress(CSV),
        zipped(pictures),
        zipped({"a.zip": zipped({"a.csv": CSV})}),
        tarred(pictures),
    ]
    seeds += [
        zipped({"a.csv": CSV}, method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    ]
    seeds += list(pictures.values())
    for number, content in enumerate(seeds):
        (folder / f"seed{number}").write_bytes(content)
    images = np.zeros((2, 48, 48), np.uint8)
    write_dataset(make_dataset(images, [0, 1], [0, 0], [0, 1], ("a", "b")), folder / "seed.h5")


def read(content):
    """Reads bytes as --data does; pictures, which --data takes in folders of classes alone, in such a folder."""
    is_picture = content[:2] in (b"\x89P", b"\xff\xd8", b"GI", b"BM", b"RI", b"II", b"MM", b"P6")
    path = FOLDER / "picture" / "happy" / "1.png" if is_picture else FOLDER / "input"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    try:
        if is_hdf5(path):
            read_dataset(path)
        else:
            convert_inputs([FOLDER / "picture" if is_picture else path], BadRows(skip=len(content) % 2 == 0))
    except UserError:
        pass


if __name__ == "__main__":
    corpus = FOLDER / "corpus"
    corpus.mkdir()
    make_seeds(corpus)
    seconds = sys.argv[1] if len(sys.argv) > 1 else "600"
    options = [f"-max_total_time={seconds}", "-max_len=20000", "-rss_limit_mb=2048", "-timeout=60"]
    atheris.Setup([sys.argv[0], *options, "-print_final_stats=1", str(corpus)], read)
    atheris.Fuzz()
