#!/usr/bin/env bash
# Trains a tiny ensemble with a real SLURM, and troubles on the way: `bash tests/slurm/run.sh`. Some minutes.
#
# It installs SLURM's programs where apt can, starts a SLURM of one node in a temporary folder, and stops it in the end.
# Where that cannot be, it says why and counts as passed. Flags go to pytest.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
source environment.sh

skip() {
    echo "tests/slurm: skipped: $*"
    exit 0
}

have_slurm() { command -v munged slurmctld slurmd sbatch srun >/dev/null; }

[[ $(uname) == Linux ]] || skip "SLURM runs on Linux"
((EUID == 0)) || skip "it takes root to start SLURM's daemons"
if ! have_slurm; then
    command -v apt-get >/dev/null || skip "SLURM is not installed, and there is no apt-get to install it with"
    say "installing SLURM"
    # Its packages would start daemons of their own, of which there is no configuration.
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends \
        slurmctld slurmd slurm-client munge; } >/dev/null 2>&1 || skip "apt-get could not install slurmctld, slurmd and munge"
fi

choose_python requirements-dev.txt
folder=$(mktemp -d)
trap 'bash tests/slurm/node.sh stop "$folder" && rm -rf -- "$folder"' EXIT
bash tests/slurm/node.sh start "$folder"
export SLURM_CONF=$folder/slurm.conf
"$python" -m pytest -p no:cacheprovider tests/slurm/scenario.py "$@"
