#!/usr/bin/env bash
# A SLURM of three nodes on this machine, for tests, as root and without systemd. Everything it writes is in FOLDER.
#
#     cluster.sh start FOLDER         then: export SLURM_CONF=FOLDER/slurm.conf
#     cluster.sh controller FOLDER    starts its controller, also again
#     cluster.sh stop FOLDER
#
# Where bindfs is installed, each node sees FOLDER/shared through a file system of its own, as on a network: what it
# knows of files is up to three seconds old, and its locks are not those of the others.
#
# n1 has no GPU; n2 and n3 have two each, which are device files with nothing behind them. All are in partition cpu;
# n2 and n3 are in partition gpu, too, whose jobs have those of cpu requeued where they need their place.
set -euo pipefail
folder=$(realpath "$2")
export SLURM_CONF=$folder/slurm.conf
socket=$folder/munge.socket
nodes=(n1 n2 n3)

start() {
    mkdir "$folder"/{state,spool,devices,shared}
    chmod 755 "$folder"
    (umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
    # --force: it otherwise refuses a socket below a folder that others may write to, such as /tmp.
    munged --force --key-file="$folder/munge.key" --socket="$socket" --pid-file="$folder/munged.pid" \
        --seed-file="$folder/munge.seed" --log-file="$folder/munged.log" 2>>"$folder/munged.err"
    write_configuration
    controller
    local name attempt
    for name in "${nodes[@]}"; do
        mkdir "$folder/spool/$name"
        as_node "$name" slurmd -f "$SLURM_CONF" -N "$name"
    done
    for attempt in {1..120}; do
        [[ $(sinfo --noheader --Node --partition=cpu --format=%T 2>/dev/null) == $'idle\nidle\nidle' ]] && return
        sleep 0.5
    done
    tail -n 20 "$folder"/slurm*.log >&2
    echo "cluster.sh: the nodes did not come up" >&2
    exit 1
}

controller() {
    slurmctld -f "$SLURM_CONF"
}

# Where root may not give a process another host name, the nodes share the machine's.
as_node() {
    if ! unshare --uts --mount true 2>/dev/null; then
        "${@:2}"
        return
    fi
    unshare --uts --mount bash -s "$folder" "$@" <<'END'
folder=$1
hostname "$2"
if command -v bindfs >/dev/null; then
    timeouts=attr_timeout=3,entry_timeout=3,negative_timeout=3
    bindfs -f -o "nonempty,$timeouts" "$folder/shared" "$folder/shared" >>"$folder/bindfs-$2.log" 2>&1 </dev/null &
    echo $! >"$folder/bindfs-$2.pid"
    for attempt in {1..100}; do
        mountpoint -q "$folder/shared" && break
        sleep 0.1
    done
fi
exec "${@:3}"
END
}

write_configuration() {
    local ports memory device
    # Not SLURM's own ports: a real one may run here.
    ports=($(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
print(*(each.getsockname()[1] for each in sockets))'))
    for device in n2-gpu0 n2-gpu1 n3-gpu0 n3-gpu1; do
        mknod "$folder/devices/$device" c 1 3 2>/dev/null || : >"$folder/devices/$device" # as /dev/null
    done
    memory=$(($(awk '/MemAvailable/ { print $2 }' /proc/meminfo) / 1024 - 512))
    # cred_expire: a requeued job waits for this long, 120 s unless set. KillWait: from SIGTERM to SIGKILL; GraceTime:
    # the same for a job that is preempted. config_overrides: the nodes have what is said here, whatever the machine
    # has. SlurmdTimeout: how long a node may be silent.
    cat >"$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd-%n.log
SlurmdParameters=config_overrides
SlurmdTimeout=60
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=5,batch_sched_delay=1,bf_interval=5
SwitchType=switch/none
MpiDefault=none
ReturnToService=1
KillWait=20
MinJobAge=86400
MailProg=/bin/true
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=n1 NodeAddr=127.0.0.1 Port=${ports[1]} CPUs=4 RealMemory=$memory State=UNKNOWN
NodeName=n2 NodeAddr=127.0.0.1 Port=${ports[2]} CPUs=2 RealMemory=$memory Gres=gpu:2 State=UNKNOWN
NodeName=n3 NodeAddr=127.0.0.1 Port=${ports[3]} CPUs=2 RealMemory=$memory Gres=gpu:2 State=UNKNOWN
PartitionName=cpu Nodes=n1,n2,n3 Default=YES State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=60
PartitionName=gpu Nodes=n2,n3 State=UP PriorityTier=2 PreemptMode=OFF
END
    cat >"$folder/gres.conf" <<END
NodeName=n2 Name=gpu File=$folder/devices/n2-gpu[0-1]
NodeName=n3 Name=gpu File=$folder/devices/n3-gpu[0-1]
END
}

stop() {
    local name pid attempt
    [[ ! -f $SLURM_CONF ]] || timeout 10 scancel --user=root 2>/dev/null || true
    for name in "${nodes[@]/#/slurmd-}" "${nodes[@]/#/bindfs-}" slurmctld munged; do
        pid=$(cat "$folder/$name.pid" 2>/dev/null) || continue
        kill "$pid" 2>/dev/null || continue
        kill -CONT "$pid" 2>/dev/null || true # a test may have stopped it
        for attempt in {1..100}; do # not for ever: nobody may be there to reap it
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
    done
}

"$1"
