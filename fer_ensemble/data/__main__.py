"""`python -m fer_ensemble.data` is `fer-ensemble data`."""

from fer_ensemble.commands.start import run_verb

if __name__ == "__main__":
    run_verb("data", "fer_ensemble.data")
