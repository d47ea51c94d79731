#!/bin/bash
# Our own re-implementation of the DECISIONS of KingbaseES V8R3's restartcluster.sh (an older public deployment template), as a
# baseline. No line of it is the vendor's, and it is no tool to run a cluster with. Root runs it once a minute on management nodes.
# The gateway and the paths come from kingbasecluster/etc/HAmodule.conf; the sockets are those of the pool that is really there.

here=$(dirname "$(readlink -f "$0")")
. "$here/../etc/HAmodule.conf"
pool_conf=$here/../etc/kingbasecluster.conf
pid_file=$(sed -nE "s/^pid_file_name *= *'([^']*)'.*/\1/p" "$pool_conf")
gateway=${KB_GATEWAY_IP%%,*}
log() { printf '%s %s\n' "$(date '+%F %T')" "$*" >> "$POOL_RESTART"; }
# One lost packet of three is enough to fail.
all_pings() { ping -c 3 "$gateway" | grep -q ' 3 received'; }
pool_pid() { tr -d '\0' < "$pid_file" 2> /dev/null; }
lives() { [ -n "$1" ] && [ -d "/proc/$1" ]; }
clear_sockets() {
  rm -f "$KINGBASECLUSTERSOCKET1" "$KINGBASECLUSTERSOCKET2" "$KINGBASECLUSTERSOCKET3" "$CLUSTER_STAT_FILE"
  rm -f /tmp/.s.PGSQL.9999 /tmp/.s.PGSQL.9898
}

log "==================================================== monitor watch dog!"
if ! all_pings; then
  log "let it down !"
  "$here/kingbasecluster" -m fast stop
  sleep 10
  pid=$(pool_pid)
  lives "$pid" && ps -ef | grep -w "$pid" | grep -v grep | awk '{ print $2 }' | xargs -r kill -9
  clear_sockets
fi
pid=$(pool_pid)
if lives "$pid"; then log "kingbasecluster is still alive $pid."; exit 0; fi
if ! all_pings; then log "not satisfy kingbasecluster restart, please hold on ..."; exit 0; fi
# The pid file stays: one that was cut off makes every start fail.
clear_sockets
printf -- '---- %s moniter up ----\n' "$(date)" >> "$CLUSTER_LOG_PATH/$CLUSTER_LOG_NAME"
cd "$here" && "$here/kingbasecluster" -n >> "$CLUSTER_LOG_PATH/$CLUSTER_LOG_NAME" 2>&1 &
log "moniter watch and restart success."
