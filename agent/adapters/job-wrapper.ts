/**
 * What a detached job really runs: `/bin/sh -c jobWrapper castellan-job PROGRAM ARG…`, in the job's folder.
 * The text is constant and nothing is ever put into it: the program and its arguments are positional
 * parameters, which the shell does not read again. It is a shell because the wrapper lives as long as the
 * job while the agent may die, and a shell costs 1 MB where Node would cost 40.
 *
 * - `process` gets this shell's own /proc line and the boot id, before the program starts and never over an
 *   older one (set -C): a folder is worth one run at most.
 * - The exit status has its place on the disk from the start, and is written over it: a disk that is full by the end
 *   must not make a copy of hours look lost.
 * - The trap keeps the shell alive while the whole group is sent SIGTERM, so that the exit status is still
 *   written; in the subshell, and so for the program, signals have their default action again (POSIX, trap).
 */
export const jobWrapper = `umask 077
set -C
read -r self < "/proc/$$/stat" || exit 125
read -r boot < /proc/sys/kernel/random/boot_id || exit 125
printf '%s\\n%s\\n' "$self" "$boot" > process || exit 125
printf '    \\n' > exit-status.new || exit 125
set +C
trap : TERM INT HUP
( cd / && exec "$@" )
code=$?
if [ "$code" = 0 ]; then
  while IFS= read -r file; do : >> "$file"; done < touch-on-success
fi
while IFS= read -r file; do rm -f -- "$file"; done < remove-when-ended
printf '%4s\\n' "$code" 1<> exit-status.new && mv exit-status.new exit-status
`;
