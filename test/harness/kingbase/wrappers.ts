/**
 * The product's commands in front of PostgreSQL's, as they stand in <root>/db/bin. Command names and
 * flags follow public help texts and scripts of build B0290; see README.md for what is emulated.
 */

export type WrapperPaths = {
  /** bin folder of the PostgreSQL server, as the host sees it. */
  readonly server: string;
  /** bin folder of PostgreSQL client programs (a newer major is fine). */
  readonly clients: string;
  /** <root>/db/bin on the host. */
  readonly bin: string;
  /** Of the server. */
  readonly major: number;
};

/** Files of db/bin by name. */
export function wrapperFiles(paths: WrapperPaths): Record<string, string> {
  const clients = Object.entries(plainClients).map(([name, tool]) => [name, client(tool)]);
  return {
    "_env.sh": environment(paths),
    sys_ctl: control,
    initdb,
    sys_basebackup: baseBackup,
    ...(paths.major < 12
      ? { sys_controldata: controlData }
      : { sys_controldata: client("pg_controldata"), sys_rewind: rewind }),
    sys_md5: `#!/bin/sh\nexec pg_md5 "$@"\n`,
    ...Object.fromEntries(clients),
    ...pcpFiles,
  };
}

const plainClients = {
  ksql: "psql",
  sys_isready: "pg_isready",
  sys_dump: "pg_dump",
  sys_receivexlog: "pg_receivewal",
} as const;

const load = `#!/bin/bash\n. "$(dirname "$(readlink -f "$0")")/_env.sh"\n`;

/** libkci's environment becomes libpq's; \`-W PASSWORD\` of the product's clients never reaches an argument list. */
const environment = ({
  server,
  clients,
  bin,
  major,
}: WrapperPaths): string => `# shared by the wrappers
KB_SERVER=${server}
KB_CLIENTS=${clients}
KB_BIN=${bin}
KB_MAJOR=${major}
[ -n "\${KCIPASSWORD:-}" ] && export PGPASSWORD=$KCIPASSWORD
[ -n "\${KCIPASSFILE:-}" ] && export PGPASSFILE=$KCIPASSFILE
[ -z "\${PGPASSFILE:-}" ] && [ -f "$HOME/.kbpass" ] && export PGPASSFILE=$HOME/.kbpass
[ -n "\${KCIUSER:-}" ] && export PGUSER=$KCIUSER
[ -n "\${KINGBASE_HOST:-}" ] && export PGHOST=$KINGBASE_HOST
[ -n "\${KINGBASE_DATABASE:-}" ] && export PGDATABASE=$KINGBASE_DATABASE
export PGPORT=\${KINGBASE_PORT:-\${PGPORT:-54321}}
kb_args() { ARGS=(); while [ $# -gt 0 ]; do case "$1" in
  -W) export PGPASSWORD="$2"; shift;; -W*) export PGPASSWORD="\${1#-W}";; --password=*) export PGPASSWORD="\${1#*=}";;
  *) ARGS+=("$1");; esac; shift; done; }
kb_names() { sed -u -e 's/pg_\\(basebackup\\|ctl\\)/sys_\\1/g' -e '/skipping special file/d'; }
`;

const client = (tool: string): string => `${load}kb_args "$@"
exec "$KB_CLIENTS/${tool}" "\${ARGS[@]}"
`;

/**
 * recovery.conf holds a base64 password, which only the real server can read: while the emulated one
 * starts, a decoded copy takes the file's place, and the original (the same inode) comes back
 * when pg_ctl has returned. Nothing secret is in an argument.
 */
const control = `${load}
D=\${KINGBASE_DATA:-}; action=; rest=(); options=
while [ $# -gt 0 ]; do case "$1" in
  -D) D=$2; shift;; -D*) D=\${1#-D};; --pgdata=*) D=\${1#*=};;
  -o) options=$2; shift;;
  start|stop|restart|reload|status|promote|kill) action=$1; rest+=("$1");;
  *) rest+=("$1");; esac; shift; done
decode() {
  [ -f "$D/.recovery.conf.kb" ] && mv -f "$D/.recovery.conf.kb" "$D/recovery.conf"
  [ "$KB_MAJOR" -ge 12 ] && rm -f "$D/standby.signal" "$D/.kb_recovery.conf"
  [ -f "$D/recovery.conf" ] || return 0
  encoded=$(sed -nE "s/^[[:space:]]*primary_conninfo.*password=([A-Za-z0-9+\\/=]+).*/\\1/p" "$D/recovery.conf" | tail -1)
  clear=$(printf %s "$encoded" | base64 -d 2>/dev/null | tr -d '\\n')
  ( umask 077; while IFS= read -r line || [ -n "$line" ]; do
      case "$line" in *primary_conninfo*password="$encoded"*) line=\${line/"password=$encoded"/"password=$clear"};; esac
      printf '%s\\n' "$line"; done < "$D/recovery.conf" > "$D/.recovery.conf.clear" )
  ln "$D/recovery.conf" "$D/.recovery.conf.kb"
  if [ "$KB_MAJOR" -lt 12 ]; then mv -f "$D/.recovery.conf.clear" "$D/recovery.conf"; return; fi
  # From 12 on the server knows no recovery.conf: its settings are included, and a signal file tells a standby.
  ( umask 077; sed -nE "/^[[:space:]]*(primary_conninfo|primary_slot_name|recovery_target_timeline|restore_command)/p" \
      "$D/.recovery.conf.clear" > "$D/.kb_recovery.conf"; touch "$D/standby.signal" )
  rm -f "$D/.recovery.conf.clear" "$D/recovery.conf"; }
restore() { [ -f "$D/.recovery.conf.kb" ] && mv -f "$D/.recovery.conf.kb" "$D/recovery.conf"; return 0; }
case $action in
start|restart)
  if [ "$action" = restart ]; then
    "$KB_SERVER/pg_ctl" -D "$D" -m fast -w stop || exit 1
    rest=("\${rest[@]/restart/start}")
  fi
  # An answer before the server has read recovery.conf would put the encoded file back too early.
  [ "$(id -u)" = 0 ] || { trap restore EXIT; decode; }
  "$KB_SERVER/pg_ctl" -D "$D" -w -p "$KB_BIN/kingbase" \\
    -o "-c config_file=$D/kingbase.conf -c hba_file=$D/sys_hba.conf -c ident_file=$D/sys_ident.conf -c external_pid_file=$D/kingbase.pid $options" \\
    "\${rest[@]}"; rc=$?
  # The product's pid file has all lines of PostgreSQL's; the server removes it by its name when it ends.
  if [ $rc = 0 ] && [ -f "$D/kingbase.pid" ]; then
    cp -p "$D/postmaster.pid" "$D/.kingbase.pid.new" && mv -f "$D/.kingbase.pid.new" "$D/kingbase.pid"
  fi
  exit $rc;;
kill) exec "$KB_SERVER/pg_ctl" "\${rest[@]}";;
promote)
  "$KB_SERVER/pg_ctl" -D "$D" "\${rest[@]}" || exit
  # As the server before 12 does it.
  if [ "$KB_MAJOR" -ge 12 ] && [ -f "$D/recovery.conf" ]; then mv -f "$D/recovery.conf" "$D/recovery.done"; fi;;
*) exec "$KB_SERVER/pg_ctl" -D "$D" "\${rest[@]}";;
esac
`;

const initdb = `${load}kb_args "$@"
"$KB_SERVER/initdb" "\${ARGS[@]}" || exit
while [ $# -gt 0 ]; do case "$1" in -D) D=$2; shift;; -D*) D=\${1#-D};; --pgdata=*) D=\${1#*=};; esac; shift; done
cd "\${D:-$KINGBASE_DATA}" && mv postgresql.conf kingbase.conf && mv pg_hba.conf sys_hba.conf && mv pg_ident.conf sys_ident.conf
[ "$KB_MAJOR" -lt 12 ] || echo "include_if_exists '.kb_recovery.conf'" >> kingbase.conf
`;

/** Of version 15, without what its own clean-up would need: the server's configuration has another name. */
const rewind = `${load}
exec "$KB_CLIENTS/pg_rewind" --no-ensure-shutdown "\${@/#--target-data=/--target-pgdata=}" 2> >(sed -u 's/pg_rewind/sys_rewind/g' >&2)
`;

/** \`-x\` is 9.6's way to say \`-X fetch\`; the source's pid file is the one file that the real command leaves out and PostgreSQL's does not know. */
const baseBackup = `${load}kb_args "$@"; set -- "\${ARGS[@]}"; a=(); D=
while [ $# -gt 0 ]; do case "$1" in
  -x|--xlog) a+=(-X fetch);; --xlog-method=*) a+=(--wal-method="\${1#*=}");;
  -D) D=$2; a+=(-D "$2"); shift;; -D*) D=\${1#-D}; a+=("$1");; --pgdata=*) D=\${1#*=}; a+=("$1");;
  *) a+=("$1");; esac; shift; done
exec 4> >(kb_names >&2); filter=$!
setpriv --pdeathsig KILL -- "$KB_CLIENTS/pg_basebackup" "\${a[@]}" 2>&4 4>&- & child=$!
exec 4>&-
trap 'kill -TERM $child' TERM INT
wait $child; rc=$?
[ $rc -gt 128 ] && { wait $child; rc=$?; }
wait $filter
[ $rc = 0 ] && [ -n "$D" ] && rm -f "$D/kingbase.pid" "$D/.recovery.conf.kb" "$D/.recovery.conf.clear"
exit $rc
`;

/** PostgreSQL 10's pg_control, read by its layout: no pg_controldata of that major can be had. */
const controlData = `#!/usr/bin/perl
use strict; use warnings;
my $d = $ENV{KINGBASE_DATA}; my @a = @ARGV;
while (defined(my $x = shift @a)) { if ($x eq '-D') { $d = shift @a } elsif ($x =~ /^-D(.+)/ || $x =~ /^([^-].*)/) { $d = $1 } }
defined $d or do { print STDERR "sys_controldata: no data directory specified\\n"; exit 1 };
open(my $f, '<:raw', "$d/global/pg_control") or do { print STDERR "sys_controldata: could not open file \\"$d/global/pg_control\\" for reading: $!\\n"; exit 2 };
read($f, my $b, 8192) == 8192 or do { print STDERR "sys_controldata: could not read file\\n"; exit 2 };
my @states = ('starting up', 'shut down', 'shut down in recovery', 'shutting down', 'in crash recovery', 'in archive recovery', 'in production');
my @levels = ('minimal', 'replica', 'logical');
sub u32 { unpack('x' . $_[0] . 'L<', $b) } sub u64 { unpack('x' . $_[0] . 'Q<', $b) }
sub lsn { my $v = u64($_[0]); sprintf('%X/%X', $v >> 32, $v & 0xffffffff) }
sub onoff { unpack('x' . $_[0] . 'C', $b) ? 'on' : 'off' }
sub line { printf "%-38s%s\\n", "$_[0]:", $_[1] }
line('sys_control version number', u32(8));
line('Catalog version number', u32(12));
line('Database system identifier', u64(0));
line('Database cluster state', $states[u32(16)]);
line('Latest checkpoint location', lsn(32));
line("Latest checkpoint's REDO location", lsn(48));
line("Latest checkpoint's TimeLineID", u32(56));
line("Latest checkpoint's PrevTimeLineID", u32(60));
line('Minimum recovery ending location', lsn(136));
line("Min recovery ending loc's timeline", u32(144));
line('Backup start location', lsn(152));
line('Backup end location', lsn(160));
line('wal_level setting', $levels[u32(172)]);
line('wal_log_hints setting', onoff(176));
line('max_connections setting', u32(180));
line('max_worker_processes setting', u32(184));
line('max_prepared_xacts setting', u32(188));
line('max_locks_per_xact setting', u32(192));
line('Database block size', u32(216));
line('WAL block size', u32(224));
line('Bytes per WAL segment', u32(228));
line('Data page checksum version', u32(252));
line('CASE_SENSITIVE', 'on');
`;

/** The product's pcp commands take the password as \`-W VALUE\` and know a \`-c\`; pgpool's read PCPPASSFILE and know neither. */
const pcp = (tool: string): string => `#!/bin/bash
a=(-w); host=localhost; port=9898; user=$USER; pass=; node=
while [ $# -gt 0 ]; do case "$1" in
  -W) pass=$2; shift;; -w) ;; -c) shift;;
  -h) host=$2; a+=(-h "$2"); shift;; -p) port=$2; a+=(-p "$2"); shift;;
  -U) user=$2; a+=(-U "$2"); shift;; *) a+=("$1");; esac; shift; done
if [ -n "$pass" ]; then
  PCPPASSFILE=$(umask 077; mktemp); export PCPPASSFILE; trap 'rm -f "$PCPPASSFILE"' EXIT
  printf '%s:%s:%s:%s\\n' "$host" "$port" "$user" "$pass" > "$PCPPASSFILE"
fi
${tool} "\${a[@]}"
`;

const pcpFiles = Object.fromEntries(
  [
    "pcp_attach_node",
    "pcp_detach_node",
    "pcp_node_info",
    "pcp_node_count",
    "pcp_watchdog_info",
    "pcp_promote_node",
    "pcp_reload_config",
  ].map((name) => [name, pcp(`/usr/sbin/${name}`)]),
);
