#!/usr/bin/env bash
# Trains the 16 members of the ensemble, then combines them. `bash splitscript.sh --help` tells the flags.
# Relative paths, as in --data=fer2013.csv, start where you are.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

if [[ $(nvidia-smi -L 2>/dev/null) == *"GPU 0"* ]]; then
    choose_python requirements-gpu.txt
else
    choose_python requirements.txt
fi
export PYTHONPATH=$repository${PYTHONPATH:+:$PYTHONPATH}
exec "$python" -m fer_ensemble.launch "$@"
