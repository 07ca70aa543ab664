"""`python -m fer_ensemble.launch`, which splitscript.sh runs, is `fer-ensemble launch`."""

from fer_ensemble.commands.start import run_verb

if __name__ == "__main__":
    run_verb("launch", "fer_ensemble.launch")
