#!/bin/bash
# Four hosts that share a folder over a network file system: one is cut off for a while, two have clocks that are ten minutes wrong.
#
#     sudo bash bench/hosts.sh [items, 400] [seconds cut off, 40]
#
# Each host is a network, PID and host-name namespace with a mount of its own (SFTP by sshfs, whose caches show others' files up to 20 s
# late; where the kernel has NFS, mount that). Needs root, iproute2, sshfs, sshd, libfaketime, and `npm run build`. Prints how often
# items were done, and what `fourtier status` said in between.
set -euo pipefail
root=$(dirname "$(dirname "$(realpath "$0")")")
items=${1:-400}
away=${2:-40}
work=$(mktemp -d /tmp/fourtier-hosts-XXXX)
export FOURTIER_LEASE_SECONDS=15
faketime=$(ls /usr/lib/*/faketime/libfaketime.so.1 | head -1)
child=$root/packages/fourtier/tests/shards/child.mjs
status() { node "$root/packages/fourtier/bin/fourtier.js" status "$work/shared/work"; }

cleanup() {
  for i in 1 2 3 4; do ip netns pids ft$i 2>/dev/null | xargs -r kill -9 2>/dev/null || true; ip netns del ft$i 2>/dev/null || true; done
  [ -f "$work/sshd.pid" ] && kill "$(cat "$work/sshd.pid")" 2>/dev/null || true
  ip link del ftbr 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

mkdir -p "$work/shared" /run/sshd
ip link add ftbr type bridge && ip addr add 10.77.0.1/24 dev ftbr && ip link set ftbr up
ssh-keygen -q -t ed25519 -N "" -f "$work/key" && ssh-keygen -q -t ed25519 -N "" -f "$work/host"
cp "$work/key.pub" "$work/authorized"
cat > "$work/sshd_config" <<CONF
ListenAddress 10.77.0.1:2277
HostKey $work/host
AuthorizedKeysFile $work/authorized
PidFile $work/sshd.pid
StrictModes no
PermitRootLogin yes
UsePAM no
Subsystem sftp internal-sftp
CONF
/usr/sbin/sshd -f "$work/sshd_config"
ssh="ssh -p 2277 -i $work/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"

host() { # number, environment of the worker
  local i=$1; shift
  ip netns add ft$i
  ip link add ftv$i type veth peer name eth0 netns ft$i
  ip link set ftv$i master ftbr up
  ip -n ft$i addr add 10.77.0.1$i/24 dev eth0 && ip -n ft$i link set eth0 up && ip -n ft$i link set lo up
  mkdir -p "$work/mount$i"
  ip netns exec ft$i unshare --mount --uts --pid --fork --mount-proc bash -c "
    hostname host$i
    sshfs root@10.77.0.1:$work/shared $work/mount$i -o ssh_command='$ssh',reconnect,ServerAliveInterval=5,ServerAliveCountMax=2
    env $* node $child $work/mount$i/work $work/mount$i/results $items 200
  " > "$work/host$i.log" 2>&1 &
}

host 1 A=1
host 2 A=1
host 3 LD_PRELOAD=$faketime FAKETIME=+10m FAKETIME_DONT_FAKE_MONOTONIC=1
host 4 LD_PRELOAD=$faketime FAKETIME=-10m FAKETIME_DONT_FAKE_MONOTONIC=1
sleep 12
status
echo "host 2 is cut off for $away s"
ip link set ftv2 down
sleep $((away / 2)); status
sleep $((away - away / 2))
ip link set ftv2 up
echo "host 2 is back"
wait $(jobs -p | head -4) || true
status
for i in 1 2 3 4; do sed "s/^/host $i: /" "$work/host$i.log"; done
cat "$work"/shared/results/*.txt | sort -n | uniq -c | awk '{ times[$1]++ } END { for (n in times) print times[n] " items done " n " times" }'
echo "$(cat "$work"/shared/results/*.txt | sort -u | wc -l) of $items items done"
