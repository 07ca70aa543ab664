"""`python -m fer_ensemble VERB` is `fer-ensemble VERB`."""

from fer_ensemble.commands.start import run_dispatcher

if __name__ == "__main__":
    run_dispatcher()
