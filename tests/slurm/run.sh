#!/usr/bin/env bash
# Trains a tiny ensemble with a real SLURM, and troubles on the way: `bash tests/slurm/run.sh`. Some minutes; with
# `--long`, 64 members and more troubles, far longer.
#
# It installs SLURM's programs where apt can, starts a SLURM of three nodes in a temporary folder, and stops it in the
# end. Where that cannot be, it says why and counts as passed. Other flags go to pytest.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
source environment.sh

scenarios=(tests/slurm/scenario.py)
if [[ ${1:-} == --long ]]; then
    scenarios+=(tests/slurm/scenario_long.py)
    shift
fi

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

# Where it is, the nodes share a folder as on a network; where not, as on one disk.
if ((${#scenarios[@]} > 1)) && ! command -v bindfs >/dev/null && command -v apt-get >/dev/null; then
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends bindfs; } >/dev/null 2>&1 || true
fi

choose_python requirements-dev.txt
folder=$(mktemp -d)
trap 'bash tests/slurm/cluster.sh stop "$folder" && rm -rf -- "$folder"' EXIT
bash tests/slurm/cluster.sh start "$folder"
export SLURM_CONF=$folder/slurm.conf
"$python" -m pytest -p no:cacheprovider "${scenarios[@]}" "$@"
