import pytest

from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.variations import vary_settings


def test_a_variation_is_for_an_architecture_or_one_run_of_it():
    variations = ["cnn width=48 flip=false", "cnn_1 width=64 optimizer=sgd", "resnet mixup=0.2"]
    varied = [
        vary_settings(TrainingSettings(model=model, replica=replica), variations)
        for model, replica in (("cnn", 0), ("cnn", 1), ("resnet", 0))
    ]
    assert varied == [
        TrainingSettings(width=48, flip=False),
        TrainingSettings(replica=1, width=64, flip=False, optimizer="sgd"),
        TrainingSettings(model="resnet", mixup=0.2),
    ]


@pytest.mark.parametrize(
    ("variation", "message"),
    [
        ("", "name of an architecture or run"),
        ("cnn", "then name=value"),
        ("vgg_x width=8", "such as cnn or cnn_1"),
        ("resnet breadth=8", "settings of the training, name=value. Received: 'breadth=8'"),
        ("resnet fold=1", "settings of the training"),
        ("resnet width=wide", "width takes another kind of value. Received: 'wide'"),
        ("resnet flip=perhaps", "flip takes another kind of value"),
        ("resnet width=0", "`width` must be at least 1"),
    ],
)
def test_what_a_variation_cannot_be_is_told_for_every_run(variation, message):
    with pytest.raises(ValueError, match=message):
        vary_settings(TrainingSettings(model="cnn"), [variation])


def test_a_variation_of_another_architecture_is_checked_as_that_one_s():
    settings = TrainingSettings(model="vgg16")
    assert vary_settings(settings, ["cnn input_size=24"]) == settings  # too small for a vgg16
    with pytest.raises(ValueError, match="at least 32 for vgg16"):
        vary_settings(TrainingSettings(), ["vgg16 input_size=24"])
