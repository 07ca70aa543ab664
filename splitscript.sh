#!/usr/bin/env bash
# Trains the 16 members of the ensemble, then combines them. `bash splitscript.sh --help` tells the flags.
# Relative paths, as in --data=fer2013.csv, start where you are.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

# Of SLURM, in the flags or in the file of --slurm=FILE: where they are given there need not be a GPU.
asks_for_gpu() {
    local argument
    for argument; do
        echo "$argument"
        if [[ $argument == --slurm=* ]]; then cat -- "${argument#*=}" 2>/dev/null || true; fi
    done | grep -E -- '--gres[= ]([^ ]*,)?gpu|^gpu:|--gpus|(^|[[:space:]])-G' >/dev/null
}

if [[ $(timeout 30 nvidia-smi -L 2>/dev/null) == *"GPU 0"* ]] || asks_for_gpu "$@"; then
    choose_python requirements-gpu.txt
else
    choose_python requirements.txt
fi
export PYTHONPATH=$repository${PYTHONPATH:+:$PYTHONPATH}
exec "$python" -m fer_ensemble.launch "$@"
