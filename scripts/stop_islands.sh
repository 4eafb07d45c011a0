#!/usr/bin/env bash
# Stop the islands that launch_islands.sh started, and no other process: each finishes its generation first.
set -euo pipefail

# shellcheck source=scripts/program.bash
source "$(dirname "${BASH_SOURCE[0]}")/program.bash"
# shellcheck source=scripts/processes.bash
source "$home/scripts/processes.bash"

usage() {
  cat <<HELP
usage: $stopping [--now] [--dir SHARED] [--timeout SECONDS]

  --now          kill at once; nothing is lost up to the last checkpoint
  --dir SHARED   the shared directory (default: shared)
  --timeout S    how long to wait for a launch to be over, and for the islands to finish (default: 60)
HELP
}

note() { printf '%s\n' "$*" >&2; }

signal=TERM shared=shared timeout=60
while [ $# -gt 0 ]; do
  case $1 in
    --now) signal=KILL ;;
    --dir) [ -n "${2:-}" ] || fail "--dir needs a directory"; shared=$2; shift ;;
    --timeout) [ -n "${2:-}" ] || fail "--timeout needs seconds"; timeout=$2; shift ;;
    -h | --help) usage; exit 0 ;;
    *) fail "unknown option $1; see $stopping --help" ;;
  esac
  shift
done
[[ $timeout =~ ^[0-9]+$ ]] || fail "--timeout takes whole seconds, got '$timeout'"
case $shared in -*) shared=./$shared ;; esac
launch=$shared/launch
deadline=$((SECONDS + timeout))

# Of islands that are just being started some have no record yet, and a record may be about to be replaced.
take_in_time() {
  until take "$launch"; do
    if [ "$SECONDS" -ge "$deadline" ]; then return 1; fi
    sleep 0.1
  done
}

if [ ! -d "$launch" ]; then
  printf '0 islands stopped: nothing was launched in %s\n' "$shared"
  exit 0
fi
if ! take_in_time; then
  note "error: $(holder "$launch") is starting or stopping islands in $shared; try again when it is done"
  exit $BUSY
fi
names=() pids=() starts=() code=0
for file in "$launch"/*.pid; do
  [ -e "$file" ] || continue
  name=${file##*/} name=${name%.pid}
  if [ "${name#*@}" != "$this_host" ]; then
    note "left alone: ${name%%@*} was started on ${name#*@}; stop it there ($file)"
  elif ! read_record "$file"; then
    note "left alone: $file does not name a process; remove it if nothing runs"
  elif ! is_alive "$pid" "$start"; then
    rm -f "$file"
  elif kill "-$signal" "$pid" 2>/dev/null; then
    names+=("${name%@*}") pids+=("$pid") starts+=("$start")
    printf 'stopping %s (process %s)\n' "${name%@*}" "$pid"
  elif is_alive "$pid" "$start"; then
    note "error: we may not stop ${name%@*} (process $pid)"
    code=1
  fi
done
sessions=()
for file in "$launch"/tmux-*@"$this_host"; do
  if [ -e "$file" ]; then sessions+=("$(<"$file")"); fi
done
let_go # who is impatient may come with --now, and who launches anew makes sessions of their own

while true; do
  living=()
  for i in ${pids[@]+"${!pids[@]}"}; do
    if is_alive "${pids[$i]}" "${starts[$i]}"; then living+=("${names[$i]}"); fi
  done
  if [ ${#living[@]} = 0 ]; then break; fi
  if [ "$SECONDS" -ge "$deadline" ]; then
    note "error: still finishing a generation: ${living[*]}; wait, or use --now"
    exit 1
  fi
  sleep 0.2
done
goes_on='the same launch command goes on'
if [ ${#pids[@]} = 0 ]; then goes_on="none that was launched in $shared runs"; fi
islands=$(printf '%s\n' ${names[@]+"${names[@]%.*}"} | sort -u | grep -c .) || true # a team's members live one
printf '%s islands stopped; %s\n' "$islands" "$goes_on"

take_in_time || exit "$code" # whoever starts or stops islands now clears the records of what has ended
for name in ${names[@]+"${names[@]}"}; do clear_record "$(record_file "$launch" "$name")"; done
if [ "$code" -ne 0 ]; then exit "$code"; fi

# A tmux session may have our session's name, even its number, and be another: its server and its birth tell. A server
# of another account is asked nothing, since a client obeys its server.
for session in ${sessions[@]+"${sessions[@]}"}; do
  read -r id born server socket <<<"$session"
  known=''
  if [ -O "$socket" ]; then
    known=$(tmux -S "$socket" display-message -p -t "$id" '#{session_created} #{pid}' 2>/dev/null) || true
  fi
  if [ "$known" = "$born $server" ]; then
    tmux -S "$socket" kill-session -t "$id"
  fi
  file=$launch/tmux-${id#?}@$this_host
  if [ "$(cat "$file" 2>/dev/null)" = "$session" ]; then rm -f "$file"; fi
done
