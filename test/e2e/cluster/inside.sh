#!/bin/sh
# inside.sh FOLDER PROGRAM ARGUMENT…: the first process of the cluster's namespaces (run.ts makes them). It lays the network,
# puts folders and settings of the machine that Kubernetes would write to out of its reach, and waits for PROGRAM.
set -eu
folder=$1
shift

# kubelet's mounts must reach the containers; none of them reaches the machine, whose mounts are in another namespace.
mount --make-rshared /
for place in /run/containerd /var/lib/cni /var/lib/kubelet /var/log/containers /var/log/pods; do
  mkdir -p "$place" "$folder/places$place"
  mount --bind "$folder/places$place" "$place"
done
# What kubelet wants of the kernel, it finds; what it writes goes nowhere.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  file=$folder/places/${setting%=*}
  mkdir -p "${file%/*}"
  echo "${setting#*=}" > "$file"
  mount --bind "$file" "/proc/sys/${setting%=*}"
done

# One bridge has the addresses of the node and of the Service `kubernetes`; there is no way out.
ip link set lo up
ip link add node0 type bridge
ip address add 10.77.0.1/24 dev node0
ip address add 10.96.0.1/32 dev node0
ip link set node0 up

# Not `exec`: the first process is the one that inherits orphans, and this shell reaps them while it waits.
"$@"
exit $?
