#!/bin/bash
# Our own re-implementation of the DECISIONS of KingbaseES V8R3's network_rewind.sh (public vendor script build B0290), as the
# baseline of a bench. No line of it is the vendor's. It keeps the vendor's surprises on purpose; the numbers (S1 ...) are those of
# docs/vendor-checks.md. It is no tool to run a cluster with.
#
# Left out: --force, BMJ machines, and MAX_AVAILABLE_LEVEL (off as the vendor ships it), so an unreachable pool ends a run.
# Substituted, because a test host lacks it:
#   ssh to localhost as root -> sudo for ip and arping; arping of db/bin -> the system's;
#   KB_LD_PATH -> not set: the emulated clients are of another version than the server's libraries;
#   names inside the data directory -> PostgreSQL's (pg_replslot);
#   pool_nodes of pgpool 4.3 has a column pg_role more than 3.6's: the role is read from its own column.

here=$(dirname "$(readlink -f "$0")")
conf=$here/../etc/HAmodule.conf
[ -f "$conf" ] || exit 1
while read line; do
  line=${line%%#*}
  key=${line%%=*} value=${line#*=}
  [ -n "$key" ] && [ "$key" != "$line" ] && [ -n "$value" ] && eval "$key=$value"
done < "$conf"

flag=/dev/shm/KB_RECOVERY_FLAG
retries=${HEALTH_CHECK_MAX_RETRIES:-6}
delay=${HEALTH_CHECK_RETRY_DELAY:-10}
size_diff=${DATA_SIZE_DIFF:-16}
KB_PASS=$(base64 -d <<< "$KB_PASS")
PCP_PASS=$(base64 -d <<< "$PCP_PASS")
export LANG=en_US.UTF-8
PATH=$PATH:/sbin:/usr/sbin

log() { printf '%s %s\n' "$(date '+%F %T')" "$*" >> "$RECOVERY_LOG_DIR"; }
set_flag() { printf '%s\n%s\n' "$1" "$$" > "$flag"; }
give_up() { log "$1"; set_flag 0; exit "${2:-66}"; }
stop_database() { "$KB_PATH/sys_ctl" stop -D "$KB_DATA_PATH" -m fast "$@" >> "$RECOVERY_LOG_DIR" 2>&1; }
give_up_and_stop() { log "$1"; log "stop db....."; stop_database -w -t 90; remove_vip; set_flag 0; exit 66; }
sql() { KCIPASSWORD=$KB_PASS "$KB_PATH/ksql" "host=$1 port=$2 user=$KB_USER dbname=$KB_DATANAME connect_timeout=10" -A -t -q -c "$3"; }
on_primary() { sql "$primary" "$KB_PORT" "$1"; }
pool_nodes() { sql "$KB_POOL_VIP" "$KB_POOL_PORT" "show pool_nodes"; }
pcp() { "$KB_PATH/$1" -U "$PCP_USER" -W "$PCP_PASS" -h "$KB_POOL_VIP" -p 9898 -c 10 -n "$2"; }
as_root() { sudo -n "$@"; }

vip=${KB_VIP%/*}
has_vip() { as_root /sbin/ip addr | grep -qw "$vip"; }
arping=$(command -v arping)
add_vip() {
  [ -n "$KB_VIP" ] || return
  for ((try = 0; try < retries; try++)); do
    if has_vip; then log "the $KB_VIP is already on myself"; return; fi
    # Nobody asks whether another host holds it (S3).
    as_root /sbin/ip addr add "$KB_VIP" dev "$DEV" label "$DEV:2" &&
      as_root "$arping" -U "$vip" -I "$DEV" -w 1 -c 1 > /dev/null && return
    as_root /sbin/ip addr del "$KB_VIP" dev "$DEV"
  done
  log "could not add $KB_VIP"
}
remove_vip() {
  [ -n "$KB_VIP" ] || return
  for ((try = 0; try < retries; try++)); do
    if ! has_vip; then log "but no $KB_VIP on my DEV, nothing to do with del"; return; fi
    as_root /sbin/ip addr del "$KB_VIP" dev "$DEV"
    sleep "$delay"
  done
  has_vip && give_up "the $KB_VIP is still on myself"
}

database_pid() { head -1 "$KB_DATA_PATH/kingbase.pid" 2> /dev/null; }
database_lives() { local pid; pid=$(database_pid); [ -n "$pid" ] && [ -d "/proc/$pid" ]; }

# --- steps 1 to 4: one run at a time. The lock covers these steps alone.
exec 9> /dev/shm/kb.lock || exit 1
flock -n 9 || { log "Anthoer process is on, exit this time"; exit 0; }
previous=
if [ -s "$flag" ]; then
  { read -r previous; read -r running; } < "$flag"
  [ -n "$previous" ] || give_up "the flag can not be read"
  if [ "$previous" = 1 ]; then
    if grep -qs "network_rewind" "/proc/$running/cmdline"; then
      log "I'm already recovery now pid[$running], return nothing to do"
      exit 0
    fi
    log "Something interrupted the last recovery. Go on this time"
  fi
fi
log "---------------------------------------------------------------------"
log "recover beging..."
set_flag 1 || exit 1
log "my pid is $$,officially began to perform recovery"
exec 9>&-

# --- steps 5 and 6: can the disk be written?
log "check read/write on mount point"
mount_works() {
  local folder=$1 file
  file=$folder/rw_status_file_$(date +%s%N)
  mkdir -p "$folder" && ls "$folder" > /dev/null || return 1
  timeout -s KILL 10 dd if=/dev/zero of="$file" bs=8k count=1 conv=fsync 2> /dev/null &&
    stat "$file" > /dev/null && cat "$file" > /dev/null && rm -f "$file"
}
disk_fails=1
for ((try = 0; try < ${MOUNT_CHECK_MAX_RETRIES:-6}; try++)); do
  disk_fails=0
  for folder in "${MOUNT_POINT_DIR_LIST[@]:-$KB_DATA_PATH}"; do mount_works "$folder" || disk_fails=1; done
  [ $disk_fails = 0 ] && break
  sleep 10
done
if [ $disk_fails = 1 ]; then
  case "${USE_CHECK_DISK:-1}" in
    0 | off | false | no) log "execute check_mount_point() failed, maybe the disk is error" ;;
    *) give_up_and_stop "execute check_mount_point() failed, maybe the disk is error" ;;
  esac
fi

# --- steps 7 and 8: one answer of any trust address is enough; none stops the database (S5).
log "check if the network is ok"
network_works=0
for ((try = 0; try < retries && network_works == 0; try++)); do
  for trusted in ${KB_GATEWAY_IP//,/ }; do
    got=$(ping -c 3 -w 2 "$trusted" | sed -nE 's/.* ([0-9]+) received.*/\1/p')
    if [ "${got:-0}" -gt 0 ]; then
      log "ping trust ip $trusted success ping times :[3], success times:[$got]"
      network_works=1
      break
    fi
  done
done
[ $network_works = 1 ] || give_up_and_stop "no trust ip can be reached"

# --- steps 9 to 12: the pool alone says who is primary (S8).
log "determine if i am master or standby"
pool_nodes > "$KB_CLUSTER_STATUS" && [ -s "$KB_CLUSTER_STATUS" ] || give_up "can not connect to kingbasecluster"
cat "$KB_CLUSTER_STATUS" >> "$RECOVERY_LOG_DIR"
primary=$(awk -F '|' '$7 == "primary" { print $2; exit }' "$KB_CLUSTER_STATUS")
[ -n "$primary" ] || give_up "no primary node in kingbasecluster, nothing to do"
my_row() { awk -F '|' -v me="$KB_LOCALHOST_IP" '$2 == me' "$@"; }
my_id=$(my_row "$KB_CLUSTER_STATUS" | cut -d '|' -f 1)
my_status=$(my_row "$KB_CLUSTER_STATUS" | cut -d '|' -f 4)

set_sync_names() {
  on_primary "ALTER SYSTEM SET synchronous_standby_names TO '$1'" && on_primary "select sys_reload_conf()" > /dev/null
}

# --- steps 13 to 17: the primary. A dead one is never started.
if grep -qw "$KB_LOCALHOST_IP" <<< "$primary"; then
  add_vip
  names=$(on_primary "show synchronous_standby_names") || give_up "can not connect to myself"
  if [ -z "$names" ]; then
    log "I,m node is primary, and cluster is async,nothing to do"
  elif count=$(on_primary "select count(*) from sys_stat_replication") && [ "$count" -gt 0 ]; then
    log "I,m node is primary, cluster is sync, and there is a standby db, nothing to do"
  else
    set_sync_names "" || give_up "can not set async"
    [ -z "$(on_primary "show synchronous_standby_names")" ] || give_up "it is sync still"
    sleep 1
    log "ASYNC RECOVER MODE DONE"
  fi
  set_flag 0
  exit 0
fi

# --- steps 35 to 38: attach.
attach() {
  local difference now
  difference=$(on_primary "select sys_xlog_location_diff(sys_current_xlog_flush_location(), write_location) from sys_stat_replication where application_name='$NODE_NAME'")
  [ -n "$difference" ] || give_up "can not get the replication of myself"
  ((difference >= 0 && difference <= size_diff * 1024 * 1024)) ||
    give_up "the data difference exceeds $size_diff M,exit script"
  local sync="select count(*) from sys_stat_replication where sync_state='sync'"
  if [ "$SYNC_FLAG" = 1 ] && [ ${#ALL_NODE_NAME[@]} -gt 0 ]; then
    if [ "$(on_primary "$sync")" = 0 ]; then
      local list
      list=$(printf ', %s' "${ALL_NODE_NAME[@]}")
      set_sync_names "1 (${list#, })"
      [ "$(on_primary "$sync")" = 0 ] && give_up "can not set sync"
      sleep 1
      log "SYNC RECOVER MODE DONE"
    else
      log "now,there is a synchronous standby."
    fi
  elif [ -n "$(on_primary "show synchronous_standby_names")" ]; then
    set_sync_names ""
    [ -z "$(on_primary "show synchronous_standby_names")" ] || give_up "can not set async"
    log "ASYNC RECOVER MODE DONE"
  else
    log "It's already in ASYNC MODE."
  fi
  # The flag stays 1 here, so that the next run recovers a healthy standby (S2).
  now=$(pool_nodes) || exit 66
  sleep 2
  if [ "$(my_row <<< "$now" | cut -d '|' -f 4)" = down ]; then
    database_lives || give_up "the database does not live"
    log "attach pool..."
    pcp pcp_attach_node "$my_id" || give_up "can not attach"
    log "attach end.."
  else
    log "ALL NODES ARE UP STATUS!"
  fi
}

# --- steps 18 to 22: does this standby have to be recovered?
log "i am standby in cluster,determine if recovery is needed"
remove_vip
must=0 count=
if [ -f "$KB_DATA_PATH/recovery.conf" ]; then
  for ((try = 1; try <= retries; try++)); do
    if count=$(on_primary "select count(*) from sys_stat_replication where application_name='$NODE_NAME' and state in ('streaming', 'catchup')"); then
      [ "$count" = 1 ] && break
    elif [ $try = "$retries" ]; then
      give_up "can not connect to the primary"
    fi
    sleep "$delay"
  done
else
  stop_database
  must=1
fi
log "primary node/Im node status is changed, primary ip[$primary], recovery.conf NEED_CHANGE [$count] (0 is need ), I,m status is [$my_status]"
if [ "$count" != 0 ] && [ $must = 0 ]; then
  if [ "$previous" = 0 ]; then
    attach
    set_flag 0
    exit 0
  fi
  # No flag, as after every reboot, is taken for a bad one: a healthy standby is recovered (S1).
  log "rewind again, because last abnormal exit"
fi

# --- steps 23 to 34: recovery (after a failover a mere re-point would do: S9).
if database_lives; then
  pid=$(database_pid)
  if [ "$my_status" = up ]; then pcp pcp_detach_node "$my_id"; sleep 1; fi
  stop_database -w -t 90
  sleep 1
  # Whatever line of ps has the number in it (S7).
  ps -ef | grep -w "$pid" | grep -v grep | awk '{ print $2 }' | xargs -r kill -9
fi
case "${AUTO_PRIMARY_RECOVERY:-0}" in
  1 | on | true | yes) ;;
  *)
    grep -qsE '^[[:space:]]*primary_conninfo' "$KB_DATA_PATH/recovery.conf" ||
      give_up "maybe it's primary, can not do recovery" 1
    ;;
esac
# What it says is not looked at (S6).
KCIPASSWORD=$KB_PASS "$KB_PATH/sys_rewind" --target-data="$KB_DATA_PATH" \
  --source-server="host=$primary port=$KB_PORT user=$KB_USER dbname=$KB_DATANAME" >> "$RECOVERY_LOG_DIR" 2>&1
sleep 2

# The edits of data/kingbase.conf are lost (S10).
for ((try = 1; ; try++)); do
  temp=$KB_ETC_PATH/$(date +%s).kingbase.temp
  sed -E 's/^([[:space:]]*synchronous_standby_names)/#\1/' "$KB_ETC_PATH/kingbase.conf" > "$temp" &&
    cp "$temp" "$KB_DATA_PATH/kingbase.conf"
  rm -f "$temp"
  grep -q standby "$KB_DATA_PATH/kingbase.conf" && break
  [ $try -lt "$retries" ] || give_up "can not copy kingbase.conf"
done
cp "$KB_ETC_PATH/recovery.done" "$KB_DATA_PATH/recovery.conf"
grep -q "host=$primary\b" "$KB_DATA_PATH/recovery.conf" ||
  sed -i -E "s/[0-9]+(\.[0-9]+){3}/$primary/g" "$KB_DATA_PATH/recovery.conf"
rm -f "$KB_DATA_PATH/kingbase.pid"

slots=$KB_DATA_PATH/pg_replslot
kept=$KB_PATH/../tmp_slot
names=()
for folder in "$slots"/*/; do
  [ -d "$folder" ] || continue
  grep -qaE 'syslogical_output|test_decoding|wal2json|ali_decoding|decoderbufs|decoder_raw' "$folder/state" || names+=("$(basename "$folder")")
done
left=()
[ -f "$kept" ] && mapfile -t left < "$kept"
[ ${#left[@]} -gt ${#names[@]} ] && names=("${left[@]}")
: > "$kept"
for name in "${names[@]}"; do printf '%s\n' "$name" >> "$kept"; rm -rf "${slots:?}/$name"; done

"$KB_PATH/sys_ctl" start -D "$KB_DATA_PATH" -w -t 90 -l "$KB_ETC_PATH/../../logfile" >> "$RECOVERY_LOG_DIR" 2>&1
sleep 1
redo= since=$SECONDS
until [ "$(KCIPASSWORD=$KB_PASS "$KB_PATH/ksql" "host=/tmp port=$KB_PORT user=$KB_USER dbname=$KB_DATANAME connect_timeout=10" -A -t -q -c 'select 33333' 2> /dev/null)" = 33333 ]; do
  now=$("$KB_PATH/sys_controldata" -D "$KB_DATA_PATH" | grep "Latest checkpoint's REDO location")
  if [ "$now" != "$redo" ]; then redo=$now since=$SECONDS; fi
  ((SECONDS - since < 3600)) || give_up_and_stop "it does not move on"
  [ -n "$(database_pid)" ] || give_up_and_stop "kingbase.pid can not be read"
  database_lives || give_up "the database has ended"
  sleep 3
done
# Without immediately_reserve: no WAL is kept for them until somebody connects (S11).
for name in "${names[@]}"; do
  KCIPASSWORD=$KB_PASS "$KB_PATH/ksql" "host=/tmp port=$KB_PORT user=$KB_USER dbname=$KB_DATANAME" -A -t -q \
    -c "select * from sys_create_physical_replication_slot('$name')" > /dev/null || give_up "can not create slot $name"
done
rm -f "$kept"
# The vendor asks here whom it streams from, and never looks at the answer.
log "start up standby successful!"
attach
log "recovery success,exit script with success"
set_flag 0
exit 0
