"""Predicts with the whole ensemble: `fer-ensemble predict`, as it is called in this folder."""

from fer_ensemble.commands.start import run_verb

if __name__ == "__main__":
    run_verb("predict")
