#!/usr/bin/env bash
# Stop the islands that launch_islands.sh started, and no other process: each finishes its generation first.
set -euo pipefail

usage() {
  cat <<'HELP'
usage: scripts/stop_islands.sh [--now] [--dir SHARED] [--timeout SECONDS]

  --now          kill at once; nothing is lost up to the last checkpoint
  --dir SHARED   the shared directory (default: shared)
  --timeout S    how long to wait for the islands to finish (default: 60)
HELP
}

fail() { printf 'error: %s\n' "$*" >&2; exit 2; }
note() { printf '%s\n' "$*" >&2; }

# shellcheck source=scripts/processes.bash
source "$(dirname "${BASH_SOURCE[0]}")/processes.bash"

signal=TERM shared=shared timeout=60
while [ $# -gt 0 ]; do
  case $1 in
    --now) signal=KILL ;;
    --dir) shared=${2:?--dir needs a directory}; shift ;;
    --timeout) timeout=${2:?--timeout needs seconds}; shift ;;
    -h | --help) usage; exit 0 ;;
    *) fail "unknown option $1; see scripts/stop_islands.sh --help" ;;
  esac
  shift
done
[[ $timeout =~ ^[0-9]+$ ]] || fail "--timeout takes whole seconds, got '$timeout'"
launch=$shared/launch

files=() names=() pids=() starts=() code=0
for file in "$launch"/*.pid; do
  [ -e "$file" ] || continue
  name=$(basename "$file" .pid)
  if [ "${name#*@}" != "$this_host" ]; then
    note "left alone: ${name%%@*} was started on ${name#*@}; stop it there ($file)"
  elif ! read_record "$file"; then
    note "left alone: $file does not name a process; remove it if nothing runs"
  elif ! is_alive "$pid" "$start"; then
    rm -f "$file"
  elif kill "-$signal" "$pid" 2>/dev/null; then
    files+=("$file") names+=("${name%@*}") pids+=("$pid") starts+=("$start")
    printf 'stopping %s (process %s)\n' "${name%@*}" "$pid"
  elif is_alive "$pid" "$start"; then
    note "error: we may not stop ${name%@*} (process $pid)"
    code=1
  fi
done

deadline=$((SECONDS + timeout))
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

# A record goes when its process has been seen dead, and by now the file may name a newer process.
for file in ${files[@]+"${files[@]}"}; do
  if read_record "$file" && ! is_alive "$pid" "$start"; then rm -f "$file"; fi
done
goes_on='the same launch command goes on'
if [ ${#pids[@]} = 0 ]; then goes_on="none that was launched in $shared runs"; fi
printf '%s islands stopped; %s\n' "${#pids[@]}" "$goes_on"
if [ "$code" -ne 0 ]; then exit "$code"; fi

# A tmux session may have our session's name, even its number, and be another: its server and its birth tell.
for file in "$launch"/tmux-*@"$this_host"; do
  [ -e "$file" ] || continue
  read -r id born server socket <"$file" || true
  if [ "$(tmux -S "$socket" display-message -p -t "$id" '#{session_created} #{pid}' 2>/dev/null)" = "$born $server" ]; then
    tmux -S "$socket" kill-session -t "$id"
  fi
  rm -f "$file"
done
