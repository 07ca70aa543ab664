import csv

import numpy as np
import PIL.Image
import pytest

from fer_ensemble.commands.photos import check_photos, report_photos
from fer_ensemble.faces.drawn_pictures import compose_picture
from tests.drawn import sample_faces


class Ensemble:
    """Says "light" of a face as far as it is light; stands for one that is loaded."""

    class_names, unsure_below, about = ("dark", "light"), 0.5, {"kind": "ensemble"}

    def predict(self, faces, views=None):
        assert views == "flip"
        light = faces.mean(axis=(1, 2)) / 255
        return np.stack([1 - light, light], axis=1).astype(np.float32)


def test_photos_go_the_way_of_label_with_the_views_that_were_asked_for(tmp_path, capsys):
    picture = compose_picture(sample_faces()[:2], [(10, 10), (260, 30)], (480, 240))
    PIL.Image.fromarray(picture).save(tmp_path / "two.png")
    assert report_photos(Ensemble(), [tmp_path], tmp_path / "out", "flip") == 0
    with (tmp_path / "out" / "photos.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["face"] for row in rows] == ["0", "1"]
    assert all(float(row["dark"]) + float(row["light"]) == pytest.approx(1, abs=1e-5) for row in rows)
    assert "two.png" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_costs_the_file_and_not_the_answers(tmp_path, capsys):
    PIL.Image.fromarray(np.full((48, 48), 200, np.uint8)).save(tmp_path / "face.png")
    (tmp_path / "file").write_text("")
    assert report_photos(Ensemble(), [tmp_path / "face.png"], tmp_path / "file", "flip", "whole") == 0
    shown = capsys.readouterr()
    assert "light" in shown.out and "give a folder with --output" in shown.err


def test_a_photo_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no photo or folder .*none.jpg"):
        check_photos([tmp_path / "none.jpg"])
