#!/usr/bin/env bash
# Start N islands as ordinary processes: tmux panes where there are tmux and a terminal, else in the background.
set -euo pipefail

usage() {
  cat <<'HELP'
usage: scripts/launch_islands.sh [options] N [evolve options]

Starts island-01 ... island-N, each an ordinary process of cli.py evolve.

  --tmux         one tmux pane per island and one with the status of all
  --background   background processes; output in SHARED/launch/ISLAND.out
                 (default: tmux where there are tmux and a terminal)
  --wait         with --background: show the status, stay until all have ended,
                 then print the table and the champions; Ctrl-C stops the islands
  --vary         give each island its own breeding settings, in SHARED/islands.toml
  --fresh        archive the run that is there first, finished or not
  --dir SHARED   the shared directory (default: shared)
  --session NAME the tmux session (default: atoll)
  -h, --help     this text

A finished run is archived to SHARED/old/ first, an unfinished one is resumed.
Example: scripts/launch_islands.sh 4 -p 250 -g 150 --migrate-every 10
HELP
}

fail() { printf 'error: %s\n' "$*" >&2; exit 2; }

cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-.venv/bin/python}
[ -x "$python" ] || python=$(command -v python3) || fail "no Python found; run 'make setup'"

unset COLUMNS LINES # a size that this shell exported would not be the panes' size

mode=auto wait_for_end=no vary=no fresh=no shared=shared session=atoll
while [ $# -gt 0 ]; do
  case $1 in
    --tmux) mode=tmux ;;
    --background) mode=background ;;
    --wait) wait_for_end=yes ;;
    --vary) vary=yes ;;
    --fresh) fresh=yes ;;
    --dir) shared=${2:?--dir needs a directory}; shift ;;
    --session) session=${2:?--session needs a name}; shift ;;
    -h | --help) usage; exit 0 ;;
    -*) fail "unknown option $1; see scripts/launch_islands.sh --help" ;;
    *) break ;;
  esac
  shift
done
[ $# -gt 0 ] || fail "say how many islands; see scripts/launch_islands.sh --help"
n=$1
shift
[[ $n =~ ^[1-9][0-9]{0,2}$ ]] || fail "the number of islands must be between 1 and 999, got '$n'"

if [ "$mode" = auto ]; then
  mode=background
  if command -v tmux >/dev/null && [ -t 1 ]; then mode=tmux; fi
fi
if [ "$mode" = tmux ]; then
  command -v tmux >/dev/null || fail "tmux is not installed; use --background"
  if tmux has-session -t "=$session" 2>/dev/null; then
    fail "the tmux session '$session' is there already: tmux attach -t $session, or make stop"
  fi
fi

names=()
for ((i = 1; i <= n; i++)); do names+=("$(printf 'island-%02d' "$i")"); done

mkdir -p "$shared"
if [ "$fresh" = yes ]; then
  "$python" cli.py pool archive --migration-dir "$shared"
else
  "$python" cli.py pool archive --if-finished --migration-dir "$shared"
fi
arguments=(--migration-dir "$shared" "$@")
if [ "$vary" = yes ]; then
  "$python" -m scripts.vary "${names[@]}" --out "$shared/islands.toml"
  arguments+=(--config "$shared/islands.toml")
fi
launch=$shared/launch
mkdir -p "$launch"

# A process is known by its pid and its start time, so that a pid used again is never mistaken for an island.
record() { printf '%s %s\n' "$2" "$(ps -o lstart= -p "$2" | tr -s ' ' '_')" >"$launch/$1.pid"; }

start_in_tmux() {
  local name pane
  pane=$(tmux new-session -d -P -F '#{pane_id}' -s "$session" -x 200 -y 60 \
    "$python" cli.py status --watch --migration-dir "$shared")
  tmux set-option -t "$session" remain-on-exit on >/dev/null
  tmux set-option -t "$session" mouse on >/dev/null
  for name in "${names[@]}"; do
    pane=$(tmux split-window -d -P -F '#{pane_id}' -t "$session" "$python" cli.py evolve "$name" "${arguments[@]}")
    tmux select-layout -t "$session" tiled >/dev/null
    record "$name" "$(tmux display-message -p -t "$pane" '#{pane_pid}')"
  done
  printf '%s\n' "$session" >"$launch/tmux"
  printf '%s islands in the tmux session %s; make stop ends them\n' "$n" "$session"
  if [ -t 1 ]; then
    if [ -n "${TMUX:-}" ]; then tmux switch-client -t "$session"; else tmux attach -t "$session"; fi
  fi
}

start_in_background() {
  local name
  for name in "${names[@]}"; do
    setsid "$python" cli.py evolve "$name" "${arguments[@]}" >"$launch/$name.out" 2>&1 </dev/null &
    pids+=("$!")
    record "$name" "$!"
  done
  printf '%s islands started; output in %s/*.out\n' "$n" "$launch"
}

stop_children() {
  printf '\nstopping: every island finishes its generation and writes a checkpoint\n' >&2
  kill -TERM "${pids[@]}" 2>/dev/null || true
}

wait_for_islands() {
  local code failed=0 i watched=()
  for pid in "${pids[@]}"; do watched+=(--while "$pid"); done
  trap stop_children INT TERM
  "$python" cli.py status --watch "${watched[@]}" --migration-dir "$shared" || true
  for i in "${!pids[@]}"; do
    code=0
    while true; do
      wait "${pids[$i]}" && code=0 || code=$?
      kill -0 "${pids[$i]}" 2>/dev/null || break
    done
    if [ "$code" -ne 0 ]; then
      failed=$code
      printf '%s ended with exit code %s: %s\n' "${names[$i]}" "$code" "$(tail -n 1 "$launch/${names[$i]}.out")" >&2
    fi
  done
  "$python" cli.py status --champions --migration-dir "$shared"
  return "$failed"
}

pids=()
if [ "$mode" = tmux ]; then
  start_in_tmux "$@"
else
  start_in_background "$@"
  if [ "$wait_for_end" = yes ]; then wait_for_islands; fi
fi
