"""Reads FER2013 as people have it, checks it, and writes it as one HDF5 file.

python -m fer_ensemble.data INPUT... --output=data/fer2013.h5

INPUT: fer2013.csv or icml_face_data.csv; or the contest's train.csv and test.csv; or a folder of images by class;
or a .zip, .gz or .tar.gz of any of these. FER+ votes (fer2013new.csv) may be given beside a CSV. What a file is,
is seen from its content. A .h5 made by this command may be the INPUT, too: without --output it is summed up.

Classes may be others than the seven: they are called as the folders are, or as the words in a CSV's column emotion
or label. Faces of any size become 48x48. What names no splits gets some, copies together, and it is said how.
"""

import pathlib

from absl import flags

from fer_ensemble.base.errors import UserError


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string("output", "", "The HDF5 file to write, as data/fer2013.h5. Its folder is made.")
    flags.DEFINE_string("classes", "", "Classes to keep, in their new order, as angry,happy,neutral; else all.")
    flags.DEFINE_boolean(
        "skip_bad_rows", False, "Leave bad rows and images out, and list them in a CSV beside the output."
    )


def main(inputs: list[str]) -> None:
    """Converts `inputs` as the flags say."""
    from fer_ensemble.data import store
    from fer_ensemble.data.contents import select_classes
    from fer_ensemble.data.readers.bad_rows import BadRows
    from fer_ensemble.data.summary import describe_dataset

    values = flags.FLAGS
    paths = store.split_inputs(inputs)
    is_ours = len(paths) == 1 and store.is_hdf5(paths[0])
    if is_ours and not values.output:
        print(describe_dataset(select_classes(store.read_dataset(paths[0]), values.classes)))
        return
    output = _check_output(values.output, paths)
    bad_rows = BadRows(values.skip_bad_rows)
    dataset = store.read_dataset(paths[0]) if is_ours else store.convert_inputs(paths, bad_rows)
    dataset = select_classes(dataset, values.classes)
    store.write_dataset(dataset, output, _describe_making(paths, values))
    print(describe_dataset(dataset))
    if bad_rows.skip:
        listing = output.with_name(f"{output.stem}.bad_rows.csv")
        bad_rows.write(listing)
        print(f"left out {len(bad_rows.found):,} bad rows" + (f", listed in {listing}" if bad_rows.found else ""))
    print(f"wrote {output}")


def _check_output(output, paths):
    if not output:
        raise UserError("Expected --output, the HDF5 file to write. Received: none. Give --output=data/fer2013.h5")
    from fer_ensemble.data import store

    output = pathlib.Path(output)
    if output.is_dir():
        raise UserError(f"--output must be a file. Received: the folder {output}. Give {output / 'fer2013.h5'}")
    if output.exists() and any(output.samefile(path) for path in paths):
        raise UserError(f"--output must be another file than the input. Received: {output} for both.")
    if output.exists():
        try:
            store.read_attributes(output)
        except ValueError:
            raise UserError(
                f"--output must be a new file, or a data set to replace. Received: {output}, which is something "
                "else. Remove it, or choose another name."
            ) from None
    return output


def _describe_making(paths, values):
    from fer_ensemble.data import store

    # With a subset or gaps it must not be taken for the whole that `load_dataset` looks for.
    whole = not values.classes and not values.skip_bad_rows
    inputs = store.describe_inputs(paths)
    if whole:
        return inputs
    return {"inputs": inputs, "classes": values.classes, "skip_bad_rows": values.skip_bad_rows}
