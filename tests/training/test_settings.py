import dataclasses
import math

import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.training.settings import FOLDS, TrainingSettings, list_differences, parse_milestones
from fer_ensemble.training.training_options import TrainingOptions

# Each limit of each field: a value just beyond it, and what the message says of it.
LIMITS = [
    ("pretrained_share", -0.1, "at least 0"), ("pretrained_share", 1.0, "below 1"),
    ("teacher_share", -0.1, "at least 0"), ("teacher_share", 1.5, "at most 1"), ("replica", -1, "at least 0"),
    ("self_labels", -0.1, "at least 0"), ("self_labels", 1.5, "at most 1"), ("seed", -1, "at least 0"),
    ("holdout", -0.1, "at least 0"), ("holdout", 1.0, "below 1"),
    ("fold_seed", -1, "at least 0"), ("width", 0, "at least 1"), ("input_size", 15, "at least 16"),
    ("input_size", 100_000, "at most 1,024"),
    ("stem_stride", 0, "at least 1"), ("stem_stride", 3, "at most 2"),
    ("dropout", -0.1, "at least 0"), ("dropout", 1.0, "below 1"), ("learning_rate", -0.1, "at least 0"),
    ("learning_rate", 0.0, "above 0"), ("warmup", -0.1, "at least 0"), ("warmup", 1.0, "below 1"),
    ("weight_decay", -0.1, "at least 0"), ("clip_norm", -0.5, "at least 0"), ("ema", -0.1, "at least 0"),
    ("clip_value", -0.5, "at least 0"), ("decay_factor", -0.1, "at least 0"), ("decay_factor", 1.0, "below 1"),
    ("patience", 0, "at least 1"), ("crop_padding", -1, "at least 0"), ("crop_padding", 48, "below 48"),
    ("ema", 1.0, "below 1"), ("epochs", 0, "at least 1"),
    ("epochs", 2_000_000, "at most 1,000,000"), ("batch_size", 1, "at least 2"),
    ("label_smoothing", -0.1, "at least 0"), ("label_smoothing", 1.0, "below 1"), ("shift", -0.1, "at least 0"),
    ("shift", 1.0, "below 1"), ("rotation", -1.0, "at least 0"), ("rotation", 180.5, "at most 180"),
    ("zoom", -0.1, "at least 0"), ("zoom", 1.0, "below 1"), ("erasing", -0.1, "at least 0"),
    ("erasing", 1.5, "at most 1"), ("degradation", -0.1, "at least 0"), ("degradation", 1.5, "at most 1"),
    ("brightness", -0.1, "at least 0"), ("brightness", 1.5, "at most 1"),
    ("contrast", -0.1, "at least 0"), ("contrast", 1.0, "below 1"), ("mixup", -0.1, "at least 0"),
    ("cutmix", -0.1, "at least 0"), ("freeze_backbone_epochs", -1, "at least 0"),
    ("backbone_learning_rate", -0.1, "at least 0"), ("validate_every", -1, "at least 0"),
]  # fmt: skip
CHOICES = {
    "model": "cnn, resnet, resnet9, cnn4, resnet18, resnet34, vgg16, vgg19, vgg16_bn, vgg19_bn",
    "downsampling": "maxpool, stride",
    "activation": "relu, leaky_relu, elu, gelu, silu",
    "input_channels": "1, 3",
    "pixel_statistics": "unit, dataset, image, imagenet",
    "optimizer": "sgd, adamw, muon",
    "schedule": "cosine, onecycle, step, plateau",
    "labels": "fer2013, ferplus",
    "class_weight": "none, balanced, sqrt",
    "tta": "none, flip, shifts, tencrop",
    "precision": "auto, float32, mixed_float16, mixed_bfloat16",
}
FIELDS = {field.name: field for field in dataclasses.fields(TrainingSettings)}


def shown(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize(("name", "value", "limit"), LIMITS)
def test_a_value_beyond_its_limit_is_told(name, value, limit):
    with pytest.raises(ValueError) as error:
        TrainingSettings(**{name: value})
    assert str(error.value) == f"`{name}` must be {limit}. Received: {shown(value)}."


def test_the_table_above_has_every_limit():
    declared = {
        (name, f"{words} {field.metadata[key]:,}".removesuffix(".0"))
        for name, field in FIELDS.items()
        for key, words in (("least", "at least"), ("below", "below"), ("most", "at most"))
        if field.metadata[key] is not None
    }
    assert {(name, limit) for name, _, limit in LIMITS} == declared | {("learning_rate", "above 0")}
    unlimited = {name for name in FIELDS if name not in CHOICES and not any(name == entry[0] for entry in LIMITS)}
    assert unlimited == {"flip", "deterministic", "milestones", "pretrained", "fold", "teacher", "extra_data"}


@pytest.mark.parametrize(("name", "choices"), CHOICES.items())
def test_a_name_that_is_no_choice_is_told_with_the_choices(name, choices):
    with pytest.raises(ValueError) as error:
        TrainingSettings(**{name: "vgg"})
    assert str(error.value) == f"`{name}` must be one of {choices}. Received: 'vgg'."


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.type is float])
def test_a_number_must_be_finite(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be a finite number. Received: {value}."):
        TrainingSettings(**{name: value})


def test_the_limits_themselves_and_the_defaults_are_valid():
    TrainingSettings()
    TrainingSettings(fold=FOLDS - 1, rotation=180.0, erasing=1.0, brightness=1.0, batch_size=2, input_size=16)
    for name in ("dropout", "warmup", "weight_decay", "ema", "label_smoothing", "shift", "zoom", "contrast"):
        TrainingSettings(**{name: 0.0})


@pytest.mark.parametrize("fold", [-1, 4, (0, 0), (1, 0), (0, 4), (0, 1, 2)])
def test_a_fold_is_one_of_four_or_two_of_them_or_none(fold):
    for right in (0, 3, (0, 3), (1, 2), None):
        TrainingSettings(fold=right)
    with pytest.raises(UserError, match=r"`fold` must be 0..3, two of these such as 0,1, or none. Received: "):
        TrainingSettings(fold=fold)


@pytest.mark.parametrize("changes", [{"fold": (0, 1)}, {"fold": None, "holdout": 0.1}])
def test_a_teacher_takes_what_it_can_teach_without_telling(changes):
    TrainingSettings(teacher="experiments", fold=None)
    with pytest.raises(UserError, match="`teacher` takes one fold, or none without a `holdout`"):
        TrainingSettings(teacher="experiments", **changes)


def test_a_holdout_takes_no_fold():
    assert TrainingSettings(fold=None, holdout=0.2).fold is None
    with pytest.raises(ValueError) as error:
        TrainingSettings(holdout=0.2)
    assert str(error.value) == (
        "`holdout` must be 0 beside a fold, which is held out already. Received: 0.2 with fold 0. "
        "Give --fold=none, too."
    )


def test_own_answers_are_of_images_that_are_not_mixed():
    with pytest.raises(ValueError, match=r"Received: 0\.5 with mixup 0 and cutmix 1\."):
        TrainingSettings(self_labels=0.5, cutmix=1.0)


@pytest.mark.parametrize("text", ["", "half", "0,0.5", "0.5,1", "0.5,0.5", "0.75,0.5", "-0.1", "nan", "0.5,"])
def test_milestones_are_ascending_shares_of_the_training(text):
    assert parse_milestones("0.25, 0.5,0.875") == [0.25, 0.5, 0.875]
    with pytest.raises(
        ValueError, match="`milestones` must be shares of the training above 0 and below 1, ascending"
    ):
        TrainingSettings(milestones=text)


@pytest.mark.parametrize("changes", [{"fold": None}, {"validate_every": 0}])
def test_a_plateau_is_one_of_the_held_out_loss(changes):
    TrainingSettings(schedule="plateau", fold=None, holdout=0.1)
    with pytest.raises(
        ValueError, match="`schedule` plateau needs held-out images, a fold or a --holdout, and --val"
    ):
        TrainingSettings(schedule="plateau", **changes)


def test_the_gradient_is_clipped_in_one_way():
    with pytest.raises(ValueError, match=r"`clip_norm` or `clip_value` must be 0: .* Received: 1 and 0\.1\."):
        TrainingSettings(clip_norm=1.0, clip_value=0.1)


def test_the_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainingSettings().epochs = 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainingOptions().data = "other"


def test_a_run_is_model_and_replica():
    assert TrainingSettings(model="resnet", replica=2, fold=3).run == "resnet_2"


def test_differences_from_a_record_are_named_and_what_it_does_not_know_had_its_default():
    recorded = {**dataclasses.asdict(TrainingSettings()), "width": 4, "learning_rate": 0.05}
    del recorded["deterministic"]
    assert list_differences(TrainingSettings(), recorded) == ["width: 32, not 4", "learning_rate: 0.02, not 0.05"]
    assert list_differences(TrainingSettings(fold=None), recorded)[0] == "fold: none, not 0"
    assert list_differences(TrainingSettings(deterministic=True), recorded)[-1] == "deterministic: True, not False"


@pytest.mark.parametrize("model", ["vgg16", "vgg19_bn"])
def test_what_a_vgg_halves_five_times_must_have_32_pixels(model):
    TrainingSettings(model=model, input_size=32)
    with pytest.raises(ValueError, match=f"`input_size` must be at least 32 for {model}, .*Received: 31"):
        TrainingSettings(model=model, input_size=31)


def test_an_empty_name_is_no_folder_for_experiments():
    with pytest.raises(UserError, match="`experiments` must name a folder"):
        TrainingOptions(experiments=" ")
