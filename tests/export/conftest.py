"""Small networks with weights and statistics of their own, as after a training."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def make_network():
    """Function from settings to a model as members are saved, its normalisation no longer as at the start."""
    from fer_ensemble.models import add_softmax, build_model
    from fer_ensemble.models.device import keras
    from fer_ensemble.training.settings import TrainingSettings

    def make(seed=0, classes=7, **settings):
        keras.utils.set_random_seed(seed)
        model = add_softmax(build_model(TrainingSettings(**{"width": 4, **settings}), classes))
        random = np.random.default_rng(seed)
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                gamma, beta, mean, variance = layer.get_weights()
                layer.set_weights(
                    [
                        gamma * random.uniform(0.5, 1.5, gamma.shape),
                        beta + 0.2 * random.normal(size=beta.shape),
                        mean + 0.2 * random.normal(size=mean.shape),
                        variance * random.uniform(0.5, 2, variance.shape),
                    ]
                )
        return model

    return make


@pytest.fixture(scope="session")
def faces():
    """20 random images, uint8."""
    return np.random.default_rng(1).integers(0, 256, (20, 48, 48), dtype=np.uint8)
