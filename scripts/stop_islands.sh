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

cd "$(dirname "${BASH_SOURCE[0]}")/.."
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
launch=$shared/launch

# Alive, and the very process that was started: a zombie or a pid used again is neither.
is_ours() {
  local pid=$1 started=$2 state
  state=$(ps -o stat= -p "$pid" 2>/dev/null) || return 1
  [ "${state#Z}" = "$state" ] && [ "$(ps -o lstart= -p "$pid" | tr -s ' ' '_')" = "$started" ]
}

living() {
  local file pid started
  for file in "$launch"/*.pid; do
    [ -e "$file" ] || continue
    read -r pid started <"$file"
    if is_ours "$pid" "$started"; then printf '%s %s\n' "$pid" "$(basename "$file" .pid)"; fi
  done
}

stopped=0
while read -r pid name; do
  kill "-$signal" "$pid" 2>/dev/null && stopped=$((stopped + 1)) && printf 'stopping %s (process %s)\n' "$name" "$pid"
done < <(living)

deadline=$((SECONDS + timeout))
while [ -n "$(living)" ]; do
  if [ "$SECONDS" -ge "$deadline" ]; then
    printf 'error: still finishing a generation: %s; wait, or use --now\n' "$(living | cut -d' ' -f2 | tr '\n' ' ')" >&2
    exit 1
  fi
  sleep 0.2
done
rm -f "$launch"/*.pid
if [ -e "$launch/tmux" ]; then
  tmux kill-session -t "=$(cat "$launch/tmux")" 2>/dev/null || true
  rm -f "$launch/tmux"
fi
printf '%s islands stopped; the same launch command goes on\n' "$stopped"
