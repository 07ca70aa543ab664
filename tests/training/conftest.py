import contextlib

import pytest


@pytest.fixture
def power_cut(monkeypatch):
    """Returns a context in which a training is cut short: all is learnt, but its predictions are not written."""

    def cut(*arguments):
        raise KeyboardInterrupt

    @contextlib.contextmanager
    def context():
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("fer_ensemble.members.predictions.write_predictions", cut)
            yield

    return context
