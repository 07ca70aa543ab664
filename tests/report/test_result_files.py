import csv

import numpy as np

from fer_ensemble.ensemble.parts import Part
from fer_ensemble.report.csv_tables import write_csv, write_frame
from fer_ensemble.report.result_files import tabulate_predictions, write_likely_wrong
from fer_ensemble.scoring.calibration import Calibration


def make_part(rows, labels, probabilities):
    nothing = np.zeros(len(rows), bool)
    return Part(np.array(rows), np.array(labels, np.int8), nothing, {}, np.empty(0), np.array(probabilities))


PARTS = {
    "oof": make_part([3, 4, 9], [1, 0, 1], [[0.25, 0.75], [np.nan, np.nan], [0.5, 0.5]]),
    "PublicTest": make_part([28709], [-1], [[1.0, 0.0]]),
    "PrivateTest": make_part([32298], [0], [[2 / 3, 1 / 3]]),
}


def written(path, parts, names=("angry", "happy"), **how):
    write_frame(path / "table.csv", tabulate_predictions(parts, names, **how), "%.6f")
    return (path / "table.csv").read_bytes().decode()


def test_predictions_are_written_by_name_of_split_and_number_of_class_without_what_is_not_predicted(tmp_path):
    assert written(tmp_path, PARTS) == (
        "row,usage,emotion,predicted,angry,happy\n"
        "3,Training,1,1,0.250000,0.750000\n"
        "9,Training,1,0,0.500000,0.500000\n"
        "28709,PublicTest,,0,1.000000,0.000000\n"
        "32298,PrivateTest,0,0,0.666667,0.333333\n"
    )


def test_each_part_is_calibrated_by_its_own(tmp_path):
    calibrations = {"PrivateTest": Calibration(0.0, 0.5)}  # 4 : 1
    text = written(tmp_path, {"PrivateTest": PARTS["PrivateTest"]}, calibrations=calibrations)
    assert text.splitlines()[1] == "32298,PrivateTest,0,0,0.800000,0.200000"


def test_csv_readers_get_back_class_names_with_commas_and_quotes(tmp_path):
    names = ["happy, or so", 'the "other"']
    header, row = csv.reader(written(tmp_path, {"PrivateTest": PARTS["PrivateTest"]}, names).splitlines())
    assert header[4:] == names
    assert len(row) == len(header)


def test_no_images_give_the_header_alone(tmp_path):
    assert written(tmp_path, {}) == "row,usage,emotion,predicted,angry,happy\n"


def test_cells_stay_what_they_are(tmp_path):
    write_csv(tmp_path / "t.csv", ["a", "b"], [[1, 0.1 / 3], [None, "x, y"]])
    assert (tmp_path / "t.csv").read_text() == f'a,b\n1,{0.1 / 3!r}\n,"x, y"\n'


def test_likely_wrong_labels_have_what_the_voters_say_if_there_are_votes(tmp_path):
    part, names = PARTS["oof"], ("angry", "happy")
    facts = (part, np.array([2, 0]), np.array([0, 0]), part.ensemble, names)
    write_likely_wrong(tmp_path / "a.csv", *facts)
    header = "row,label,suggested,probability_of_label,probability_of_suggested"
    lines = ["9,happy,angry,0.500000,0.500000", "3,happy,angry,0.750000,0.250000"]
    assert (tmp_path / "a.csv").read_text().splitlines() == [header, *lines]
    write_likely_wrong(tmp_path / "b.csv", *facts, majority=np.array([1, -1]))
    assert (tmp_path / "b.csv").read_text().splitlines() == [
        header + ",ferplus_majority",
        lines[0] + ",happy",
        lines[1] + ",",
    ]
