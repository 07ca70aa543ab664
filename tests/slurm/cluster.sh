#!/usr/bin/env bash
# A SLURM of one node, for tests, as root and without systemd. Everything it writes is in FOLDER.
#
#     node.sh start FOLDER      then: export SLURM_CONF=FOLDER/slurm.conf
#     node.sh stop FOLDER
set -euo pipefail
folder=$(realpath "$2")
export SLURM_CONF=$folder/slurm.conf
socket=$folder/munge.socket
node=$(hostname -s)

start() {
    mkdir "$folder"/{state,spool}
    chmod 755 "$folder"
    (umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
    # --force: it otherwise refuses a socket below a folder that others may write to, such as /tmp.
    munged --force --key-file="$folder/munge.key" --socket="$socket" --pid-file="$folder/munged.pid" \
        --seed-file="$folder/munge.seed" --log-file="$folder/munged.log" 2>>"$folder/munged.err"
    write_configuration
    slurmctld -f "$SLURM_CONF"
    slurmd -f "$SLURM_CONF" -N "$node"
    local attempt
    for attempt in {1..120}; do
        [[ $(sinfo --noheader --format=%T 2>/dev/null) == idle ]] && return
        sleep 0.5
    done
    tail -n 20 "$folder"/slurm*.log >&2
    echo "node.sh: the node did not come up" >&2
    exit 1
}

write_configuration() {
    local ports memory
    # Not SLURM's own ports: a real one may run here.
    ports=($(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(each.getsockname()[1] for each in sockets))'))
    memory=$(($(awk '/MemAvailable/ { print $2 }' /proc/meminfo) / 1024 - 512))
    # cred_expire: a requeued job waits for this long, 120 s unless set. KillWait: from SIGTERM to SIGKILL.
    # Each task is given one of the node's two processors, whatever the machine has.
    cat >"$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmdPort=${ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=5,batch_sched_delay=1,bf_interval=5
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=20
MinJobAge=3600
MailProg=/bin/true
NodeName=$node NodeAddr=127.0.0.1 CPUs=2 RealMemory=$memory State=UNKNOWN
PartitionName=test Nodes=$node Default=YES State=UP
END
}

stop() {
    local name pid attempt
    [[ ! -f $SLURM_CONF ]] || timeout 10 scancel --user=root 2>/dev/null || true
    for name in slurmd slurmctld munged; do
        pid=$(cat "$folder/$name.pid" 2>/dev/null) || continue
        kill "$pid" 2>/dev/null || continue
        for attempt in {1..100}; do # not for ever: nobody may be there to reap it
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
    done
}

"$1"
