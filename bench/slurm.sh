#!/bin/bash
# Slurm on one machine: a controller and two nodes. Runs the array of examples/slurm with workers that are killed, and a training whose
# ranks srun starts.
#
#     npm run bench && sudo bash bench/slurm.sh <folder of clips> [kills, 30]
#
# Needs Debian's slurm-wlm and munge, for the training also openmpi-bin; root, so that the nodes can run. Everything lies in a folder of
# its own, which is removed; services that run already are left alone.
set -euo pipefail
root=$(dirname "$(dirname "$(realpath "$0")")")
data=$(realpath "$1")
kills=${2:-30}
work=$(mktemp -d /tmp/fourtier-slurm-XXXX)
host=$(hostname -s)
pids=()
cleanup() {
  scancel --me 2>/dev/null || true
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  sleep 1
  rm -rf "$work"
}
trap cleanup EXIT

dd if=/dev/urandom of="$work/munge.key" bs=1024 count=1 status=none
chmod 400 "$work/munge.key"
munged --force --foreground --key-file="$work/munge.key" --socket="$work/munge.socket" --pid-file="$work/munge.pid" \
  --log-file="$work/munge.log" --seed-file="$work/munge.seed" 2>>"$work/munge.err" &
pids+=($!)

mkdir -p "$work/state" "$work/bin"
cat > "$work/slurm.conf" <<CONF
ClusterName=fourtier
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=7817
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool-%n
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd-%n.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=none
NodeName=ft1 NodeHostname=$host NodeAddr=127.0.0.1 Port=17811 CPUs=4 RealMemory=8000
NodeName=ft2 NodeHostname=$host NodeAddr=127.0.0.1 Port=17812 CPUs=4 RealMemory=8000
PartitionName=main Nodes=ft[1-2] Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$work/slurm.conf
for _ in $(seq 50); do [ -S "$work/munge.socket" ] && break; sleep 0.1; done
slurmctld -D -f "$SLURM_CONF" >"$work/slurmctld.out" 2>&1 &
pids+=($!)
for node in ft1 ft2; do
  mkdir -p "$work/spool-$node"
  slurmd -D -N $node -f "$SLURM_CONF" >"$work/slurmd-$node.out" 2>&1 &
  pids+=($!)
done
for _ in $(seq 100); do [ "$(sinfo --noheader --format=%t 2>/dev/null | sort -u)" = idle ] && break; sleep 0.3; done
sinfo

printf '#!/bin/sh\nexec %s %s "$@"\n' "$(command -v node)" "$root/packages/fourtier/bin/fourtier.js" > "$work/bin/fourtier"
chmod +x "$work/bin/fourtier"
export PATH=$work/bin:$PATH

echo "array of four tasks, $kills of them killed"
node "$root/.fourtier/bench/kill_workers.js" "$data" "$kills" 4 slurm

if command -v mpirun.openmpi > /dev/null; then
  # on one node: two nodes of one machine would have the same folder for PMIx
  echo "two ranks that srun starts (--mpi=pmix)"
  srun --mpi=pmix --ntasks=2 --nodes=1 node "$root/.fourtier/bench/ranks.js"
fi
