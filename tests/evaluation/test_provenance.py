from fer_ensemble.evaluation.provenance import describe_provenance, differing_settings


def record(model, **settings):
    return {
        "settings": {"model": model, "replica": 0, "fold": 0, **settings},
        "versions": {"keras": "3.15.1"},
        "device": "a CPU",
        "precision": "float32",
        "started": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T04:04:05+00:00",
    }


def test_settings_are_told_apart_by_whether_all_runs_share_them():
    records = [record("cnn", width=16, epochs=5), record("resnet", width=8, epochs=5)]
    described = describe_provenance(records)
    assert described["shared"]["epochs"] == 5
    assert described["varied"] == {"width": {"cnn_0": 16, "resnet_0": 8}}
    assert (described["began"], described["ended"]) == ("2026-01-02 03:04", "2026-01-02 04:04")


def test_a_setting_that_an_older_member_does_not_know_had_its_default():
    described = describe_provenance([record("cnn"), record("resnet", class_weight="none")])
    assert described["shared"]["class_weight"] == "none"
    described = describe_provenance([record("cnn"), record("resnet", class_weight="sqrt")])
    assert described["varied"]["class_weight"] == {"cnn_0": "none", "resnet_0": "sqrt"}


def test_versions_and_devices_of_all_members_are_named_once():
    other = record("resnet") | {"versions": {"keras": "3.12.4", "jax": "0.10"}, "device": "a GPU"}
    described = describe_provenance([record("cnn"), other, other])
    assert described["versions"] == {"keras": "3.12.4, 3.15.1", "jax": "0.10"}
    assert described["devices"] == ["a CPU, float32", "a GPU, float32"]


def test_members_of_one_run_that_were_trained_differently_are_told():
    folds = [record("cnn", fold=fold, epochs=epochs) for fold, epochs in enumerate((5, 5, 8, 5))]
    records = [*folds, record("resnet", epochs=5), record("resnet", fold=1, epochs=5)]
    assert differing_settings(records) == {"cnn_0": {"epochs": {"0": 5, "1": 5, "2": 8, "3": 5}}}
    described = describe_provenance(records)
    assert "epochs" not in described["shared"]
    assert described["varied"] == {"epochs": {"cnn_0": "5 / 8", "resnet_0": 5}}
    assert differing_settings([*records[:2], *records[4:]]) == {}
