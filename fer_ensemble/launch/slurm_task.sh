#!/usr/bin/env bash
# One task of the job array that `splitscript.sh --slurm` submits: trains a member, and takes its place in the queue
# again when it had to stop before the member was complete.
#
#     slurm_task.sh FOLDER COMMAND ...
set -uo pipefail
folder=$1
shift

mkdir -p "$folder" && exec >>"$folder/train.log" 2>&1 || exit 1
task=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
echo "$(date '+%F %T')  SLURM task $task on ${SLURMD_NODENAME:-$(hostname)}${SLURM_JOB_GPUS:+, GPU $SLURM_JOB_GPUS}: $*"

# Where SLURM does not confine its tasks, each sees all processors of the node and would start threads for them all.
threads=${SLURM_CPUS_PER_TASK:-$SLURM_CPUS_ON_NODE}
export OMP_NUM_THREADS=$threads TF_NUM_INTRAOP_THREADS=$threads TF_NUM_INTEROP_THREADS=$threads NPROC=$threads
export PYTHONUNBUFFERED=1

# In new/ where a complete member is trained afresh.
state() { stat --format=%y "$folder/state.npz" "$folder/new/state.npz" 2>/dev/null; }
before=$(state)

# SLURM's controller may be away for a moment, as when it is started anew.
patiently() {
    local pause
    for pause in 0 5 15 60; do
        sleep "$pause"
        "$@" && return
    done
    return 1
}

# A step of its own, because that is what SLURM signals: before the time limit, at preemption, by scancel --signal. Its
# first act is to remove the file: where that is left, srun has failed before the command began.
waits=$(mktemp)
run_step() {
    srun --ntasks=1 --cpus-per-task="$threads" --mpi=none bash -c 'rm -f "$0"; exec "$@"' "$waits" "$@"
    code=$?
    [[ ! -e $waits ]]
}
patiently run_step "$@" || rm -f "$waits"

# 128 + SIGUSR1 and 128 + SIGTERM: the member is not complete, and the same command goes on with it. 75: another process
# holds it, such as its task of before on a node that SLURM has lost; once that has ended, it is complete or goes on.
if [[ $code == 138 && $(state) == "$before" ]]; then
    echo "The time limit came before any progress was saved, so another turn would be no better: give a longer --time."
elif [[ $code == 138 || $code == 143 || $code == 75 ]]; then
    echo "$(date '+%F %T')  SLURM task $task is to go on later"
    patiently scontrol requeue "$task" && exit 0
    echo "SLURM refused to requeue it: submit it again, by the same command of splitscript.sh."
fi
exit $code
