"""Sweeps over settings: `fer-ensemble sweep`, as it is called in this folder."""

from fer_ensemble.commands.start import run_verb

if __name__ == "__main__":
    run_verb("sweep")
