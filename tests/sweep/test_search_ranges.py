import optuna
import pytest

from fer_ensemble.sweep.search_ranges import parse_search
from fer_ensemble.training.settings import TrainingSettings

SETTINGS = TrainingSettings()


def suggest(text, seed):
    """The value that a study of its own tries first."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    (one,) = parse_search([text], SETTINGS)
    return study.ask({one.name: one.distribution()}).params[one.name]


def test_log_tries_each_power_of_ten_as_often():
    values = [suggest("learning_rate=log:1e-4:1e-1", seed) for seed in range(60)]
    assert all(1e-4 <= value <= 1e-1 for value in values)
    assert 10 < sum(value < 1e-3 for value in values) < 30  # a third of them; of uniform ones, 1 in 100


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("epochs=int:2:4", {2, 3, 4}),
        ("width=log:8:9", {8, 9}),
        ("model=choice:cnn,resnet", {"cnn", "resnet"}),
        ("flip=choice:true,false", {True, False}),
        ("weight_decay=choice:1e-4,5e-4", {0.0001, 0.0005}),
        ("batch_size=choice:64, 128", {64, 128}),
    ],
)
def test_all_values_are_tried_both_ends_too_and_are_of_the_settings_type(text, possible):
    values = {suggest(text, seed) for seed in range(30)}
    assert values == possible
    assert {type(value) for value in values} == {type(value) for value in possible}


def test_uniform_stays_between_its_ends():
    values = [suggest("dropout=uniform:0.1:0.5", seed) for seed in range(30)]
    assert 0.1 <= min(values) < 0.2 and 0.4 < max(values) <= 0.5


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "takes at least one setting to try"),
        (["learning_rate"], "`search` must be NAME=log:LOW:HIGH, .* Received: 'learning_rate'"),
        (["learning_rte=log:1:2"], "Received: 'learning_rte'. Did you mean learning_rate?"),
        (["fold=choice:0,1"], "cannot try `fold`"),
        (["fold_seed=int:0:9"], "cannot try `fold_seed`"),
        (["data=choice:a,b"], "must name a setting of model_train.py. Received: 'data'"),
        (["learning_rate=int:1:2"], "takes uniform or log or choice for `learning_rate`"),
        (["epochs=uniform:1:2"], "takes int or log or choice for `epochs`"),
        (["model=log:1:2"], "takes choice for `model`"),
        (["flip=choice:yes,no"], "takes true or false for `flip`"),
        (["epochs=int:1:2.5"], "takes whole numbers for `epochs`"),
        (["dropout=uniform:low:high"], "takes numbers for `dropout`"),
        (["dropout=uniform:0:nan"], "`dropout` must be a finite number"),
        (["dropout=uniform:0.5:0.1"], "takes a lower and a higher end, uniform:LOW:HIGH"),
        (["dropout=uniform:0.1"], "takes a lower and a higher end"),
        (["epochs=int:1:9:2"], "takes a lower and a higher end"),
        (["weight_decay=log:0:1"], "takes ends above 0"),
        (["flip=choice:true,true"], "must name each choice once"),
        (["dropout=uniform:0:1"], r"--search=dropout=uniform:0:1: `dropout` must be below 1. Received: 1."),
        (["learning_rate=uniform:0:1"], "`learning_rate` must be above 0"),
        (["model=choice:cnn,vgg"], "`model` must be one of cnn, "),
        (["dropout=uniform:0:0.1", "dropout=uniform:0:0.2"], "name each setting once. Received: dropout 2 times"),
    ],
)
def test_what_cannot_be_tried_is_refused(texts, message):
    with pytest.raises(ValueError, match=message):
        parse_search(texts, SETTINGS)
