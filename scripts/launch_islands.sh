#!/usr/bin/env bash
# Start N islands, or a team of N that lives one, as ordinary processes: tmux panes where there are tmux and a terminal,
# else in the background.
set -euo pipefail

# What islands are started with, before this script has variables of its own. Of what belongs to one terminal nothing,
# and no size, which would not be the panes' size.
unset COLUMNS LINES
environment=$(
  unset TMUX TMUX_PANE TERM TERM_PROGRAM TERM_PROGRAM_VERSION SHLVL PWD OLDPWD _
  export -n SHELLOPTS BASHOPTS UID EUID PPID # which no shell may set
  umask -p
  export -p
  export -pf
)

# shellcheck source=scripts/program.bash
source "$(dirname "${BASH_SOURCE[0]}")/program.bash"
# shellcheck source=scripts/processes.bash
source "$home/scripts/processes.bash"

usage() {
  cat <<HELP
usage: $launching [options] N [evolve options]

Starts island-01 ... island-N, each an ordinary process of $typed evolve; those that run already are left alone.

  --team         N processes that live one island and share its evaluation
  --island NAME  the island of a team (default: island-01)
  --tmux         one tmux pane per island and one with the status of all
  --background   background processes; output in SHARED/launch/ISLAND.out,
                 of a team's members in SHARED/launch/ISLAND.NUMBER.out
                 (default: tmux where there are tmux and a terminal)
  --wait         with --background: show the status, stay until all have ended,
                 then print the table and the champions; Ctrl-C stops the islands
  --vary         give each island its own breeding settings, in SHARED/islands.toml;
                 sections that are there already are kept
  --fresh        archive the run that is there first, finished or not
  --dir SHARED   the shared directory (default: shared)
  --session NAME the tmux session (default: atoll)
  --python FILE  the Python to use (default: the project's .venv/bin/python, else python3)
  -h, --help     this text

A finished run is archived to SHARED/old/ first, an unfinished one is resumed.
Islands run with the environment and the umask of this command, in tmux too. Only
one launch at a time is made in SHARED from each host; another one ends with 4.
Examples: $launching 4 -p 250 -g 150 --migrate-every 10
          $launching --team 4 -p 1000 -g 150
HELP
}

mode=auto wait_for_end=no vary=no fresh=no team=no island='' shared=shared session=atoll python=''
while [ $# -gt 0 ]; do
  case $1 in
    --tmux) mode=tmux ;;
    --background) mode=background ;;
    --wait) wait_for_end=yes ;;
    --vary) vary=yes ;;
    --fresh) fresh=yes ;;
    --team) team=yes ;;
    --island) [ -n "${2:-}" ] || fail "--island needs a name"; island=$2; shift ;;
    --dir) [ -n "${2:-}" ] || fail "--dir needs a directory"; shared=$2; shift ;;
    --session) [ -n "${2:-}" ] || fail "--session needs a name"; session=$2; shift ;;
    --python) [ -n "${2:-}" ] || fail "--python needs a program"; python=$2; shift ;;
    -h | --help) usage; exit 0 ;;
    -*) fail "unknown option $1; see $launching --help" ;;
    *) break ;;
  esac
  shift
done
[ "$vary$team" != yesyes ] || fail "--vary gives each island its own settings, and a team lives one island; leave out one"
[ -z "$island" ] || [ $team = yes ] || fail "--island names the island of a team; give --team too"
[[ ${island:=island-01} =~ ^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$ ]] ||
  fail "--island takes letters, digits, - and _, up to 64, got '$island'"
what=islands form='island-%02d' beside=2
if [ $team = yes ]; then what=members form=$island.%02d beside=5; fi # no island has a dot in its name
[ $# -gt 0 ] || fail "say how many $what; see $launching --help"
n=$1
shift
[[ $n =~ ^[1-9][0-9]{0,2}$ ]] || fail "the number of $what must be between 1 and 999, got '$n'"

choose_program "$python"
case $shared in -*) shared=./$shared ;; esac

if [ "$mode" = auto ]; then
  mode=background
  if command -v tmux >/dev/null && [ -t 1 ]; then mode=tmux; fi
fi
if [ "$mode" = tmux ]; then
  command -v tmux >/dev/null || fail "tmux is not installed; use --background"
  [[ $session != *[.:]* ]] || fail "the name of a tmux session has no dot and no colon, got '$session'"
fi
arguments=(--migration-dir "$shared" "$@")
if [ $team = yes ]; then arguments+=(--team "$n"); fi
draw=() foreign=()
while [ $# -gt 0 ]; do
  case $1 in
    --seed) draw=(--seed "${2:-}") ;;
    --seed=*) draw=("$1") ;;
    --foreign-pool) foreign=("$1") ;;
    --migration-dir | --migration-dir=*) fail "name the shared directory with --dir (make: DIR=), not $1" ;;
    --team | --team=*) fail "say --team before the number, which is then the number of its members: $launching --team 4" ;;
    --config | --config=*) [ "$vary" = no ] || fail "--vary writes a config file itself; leave out --config" ;;
  esac
  shift
done

if ! told=$("${program[@]}" --help 2>&1); then # as all islands would end
  told=$(tail -n 1 <<<"$told")
  if [[ $told != error:* ]]; then fail "$python cannot run $typed: ${told:-it says nothing}"; fi
  fail "${told#error: }"
fi

launch=$shared/launch
refuse() { printf 'error: %s\n' "$*" >&2; exit $BUSY; }
readonly STOPPING="$stopping stops what runs"
why=$(mkdir -p "$launch" 2>&1) || refuse_by_storage "$launch" "$why"
if ! take "$launch"; then # until all that is started is on record
  refuse "$(holder "$launch") is starting or stopping islands in $shared; try again when it is done"
fi
if [ "$mode" = tmux ] && tmux has-session -t "=$session" 2>/dev/null; then
  fail "the tmux session '$session' is there already: tmux attach -t $session, or $ending"
fi
names=() running=() notes=()
if [ $team = yes ] && names_the_living "$(record_file "$launch" "$island")"; then
  refuse "$island is running already, and by itself (process $pid); $STOPPING"
fi
for ((i = 1; i <= n; i++)); do
  # shellcheck disable=SC2059 # it is one of ours
  name=$(printf "$form" "$i")
  if names_the_living "$(record_file "$launch" "$name")"; then
    running+=("$name")
    notes+=("$name is running already (process $pid)")
  else
    names+=("$name")
  fi
done
if [ ${#names[@]} = 0 ] && [ "$fresh" = no ]; then refuse "all $n $what in $shared are running already; $STOPPING"; fi
if [ ${#running[@]} -gt 0 ]; then
  if [ "$fresh" = yes ]; then
    list=$(printf ', %s' "${running[@]}")
    refuse "nothing is archived while islands are still running: ${list#, }; $STOPPING"
  fi
  printf '%s\n' "${notes[@]}"
fi

if [ "$fresh" = yes ]; then
  "${program[@]}" pool archive ${foreign[@]+"${foreign[@]}"} --migration-dir "$shared"
else
  "${program[@]}" pool archive --if-finished ${foreign[@]+"${foreign[@]}"} --migration-dir "$shared"
fi
if [ "$vary" = yes ]; then
  PYTHONPATH=$home/src${PYTHONPATH:+:$PYTHONPATH} "$python" -P -m atoll.scripts.run.vary "${names[@]}" \
    ${draw[@]+"${draw[@]}"} --out "$shared/islands.toml"
  arguments+=(--config "$shared/islands.toml")
fi

readonly BESIDE_STATUS=4 PER_WINDOW=16 # more islands have windows of their own, so that the status is seen whole

# The command that becomes an island, on record from its first moment, as an array.
island_command() {
  process=("$BASH" "$home/scripts/recorded.bash" "$(record_file "$launch" "$1")"
    "${program[@]}" evolve "${1%.*}" "${arguments[@]}")
}

# Wait until each process has put itself on record, or has ended.
wait_for_records() {
  local i
  for i in "${!pids[@]}"; do
    until read_record "$(record_file "$launch" "${names[$i]}")" && [ "$pid" = "${pids[$i]}" ]; do
      start_of "${pids[$i]}" >/dev/null || break
      sleep 0.02
    done
  done
}

# A command line that runs another one, in a pane, as this shell would: tmux gives to panes the environment of whoever
# started its server. Ours goes there in a file that only we can read, and that is removed as it is read, since others
# can read a command line.
pane_command() {
  local script=$private/$1
  shift
  # shellcheck disable=SC2016 # the pane's shell has the values
  (
    umask 077
    printf '%s\ncd -- %q\nrm -f -- "$0"\nexec "$@"\n' "$environment" "$PWD" >"$script"
  )
  # shellcheck disable=SC2016
  inside=(sh -c 'exec env -i TERM="$TERM" TMUX="$TMUX" TMUX_PANE="$TMUX_PANE" "$0" "$@"' "$BASH" "$script" "$@")
}

start_in_tmux() {
  local id size=(60 200) found pane='' status_pane status_pid window relayout count=0 windows=0 process inside name
  if [ -t 1 ]; then read -r -a size <<<"$(stty size 2>/dev/null </dev/tty)"; fi
  if [ "${size[0]:-0}" = 0 ] || [ "${size[1]:-0}" = 0 ]; then size=(60 200); fi # a terminal that does not say
  private=$(mktemp -d)
  trap 'rm -rf "$private"' EXIT
  pane_command status "${program[@]}" status --watch --migration-dir "$shared"
  found=$(tmux new-session -d -P -F '#{session_id} #{session_created} #{pid} #{socket_path}' -s "$session" -n status \
    -x "${size[1]}" -y "${size[0]}" "${inside[@]}" \; set-option -w -t "=$session:status" remain-on-exit on)
  id=${found%% *}
  replace "$launch/tmux-${id#?}@$this_host" "$found"$'\n'
  tmux set-option -t "$id" mouse on
  read -r status_pane status_pid <<<"$(tmux display-message -p -t "$id:status" '#{pane_id} #{pane_pid}')"
  if [ ${#names[@]} -le $BESIDE_STATUS ]; then
    pane=$status_pane
    relayout="select-layout -t '$id:status' main-horizontal" # a smaller terminal would take rows from the status too
    tmux set-option -w -t "$pane" main-pane-height $((${#names[@]} + beside))
    tmux set-hook -w -t "$pane" window-resized "$relayout" 2>/dev/null || # before tmux 3.3 there is only:
      tmux set-hook -t "$id" client-resized "$relayout"
  fi
  for name in "${names[@]}"; do
    clear_record "$(record_file "$launch" "$name")"
    island_command "$name"
    pane_command "$name" "${process[@]}"
    found=''
    if [ -n "$pane" ] && [ $count -lt $PER_WINDOW ]; then # tmux refuses to split what is too small already
      found=$(tmux split-window -d -P -F '#{pane_id} #{pane_pid}' -t "$pane" "${inside[@]}" 2>/dev/null) || true
    fi
    if [ -z "$found" ]; then
      windows=$((windows + 1)) count=0 window=islands-$windows
      found=$(tmux new-window -d -P -F '#{pane_id} #{pane_pid}' -t "$id:" -n "$window" "${inside[@]}" \; \
        set-option -w -t "$id:$window" remain-on-exit on)
    fi
    count=$((count + 1)) pane=${found% *}
    pids+=("${found#* }")
    if [ $windows = 0 ]; then
      tmux select-layout -t "$pane" main-horizontal
    else
      tmux select-layout -t "$pane" tiled
    fi
  done
  wait_for_records
  while [ -e "$private/status" ] && start_of "$status_pid" >/dev/null; do sleep 0.02; done
  let_go
  printf '%s %s in the tmux session %s; %s ends them\n' "${#names[@]}" "$what" "$session" "$ending"
  if [ -t 1 ]; then
    if [ -n "${TMUX:-}" ]; then tmux switch-client -t "$id"; else tmux attach -t "$id"; fi
  fi
}

start_in_background() {
  local detach=nohup name out process # nohup ignores a signal that is deadly, where no session of its own can be had
  if command -v setsid >/dev/null; then detach=setsid; fi
  for name in "${names[@]}"; do
    out=$launch/$name.out
    clear_record "$(record_file "$launch" "$name")"
    before+=("$(starts_of "$name" none)")
    island_command "$name"
    if [ -L "$out" ]; then refuse_by_storage "$launch" "$name.out is a link"; fi # and leads out of the directory
    why=$({ printf -- '--- %s, %s: ' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$this_host" &&
      printf '%q ' "${process[@]:3}" && echo; } 2>&1 >>"$out") || refuse_by_storage "$launch" "$why"
    (
      set -- "$detach" "${process[@]}"
      eval "$environment"
      exec "$@"
    ) >>"$out" 2>&1 </dev/null &
    pids+=("$!")
  done
  wait_for_records
  let_go
  printf '%s %s started; output in %s/*.out\n' "${#names[@]}" "$what" "$launch"
}

# What tells one start of an island from the next: each one takes a number before its first generation. A team's member
# lets itself be seen.
starts_of() { # NAME PID
  if [ $team = yes ]; then
    (cd "$shared/islands/${1%.*}/team/members" 2>/dev/null && compgen -G "*-$2.json") || true
  else
    (cd "$shared/migration_pool/$1/epochs" 2>/dev/null && echo *.json) || true
  fi
}

tell_end() { # I CODE
  local file=$launch/${names[$1]}.out
  printf '%s ended with exit code %s: %s\n' "${names[$1]}" "$2" "$(tail -n 1 "$file" 2>/dev/null)" >&2
}

# Stay until each island has begun to evolve, or has said why it does not.
wait_for_starts() {
  local i code failed=0 is_told=no
  for i in "${!pids[@]}"; do
    while [ "$(starts_of "${names[$i]}" "${pids[$i]}")" = "${before[$i]}" ]; do
      if ! start_of "${pids[$i]}" >/dev/null; then
        wait "${pids[$i]}" && code=0 || code=$?
        if [ "$code" -ne 0 ]; then failed=$code && tell_end "$i" "$code"; fi
        break
      elif [ $is_told = no ] && [ $SECONDS -gt 10 ]; then
        is_told=yes
        printf 'waiting until %s begins; Ctrl-C leaves all islands running\n' "${names[$i]}"
      fi
      sleep 0.05
    done
  done
  return "$failed"
}

stop_children() {
  printf '\nstopping: every island finishes its generation and writes a checkpoint\n' >&2
  kill -TERM "${pids[@]}" 2>/dev/null || true
}

wait_for_islands() {
  local code failed=0 i watched=()
  for pid in "${pids[@]}"; do watched+=(--while "$pid"); done
  trap stop_children INT TERM
  "${program[@]}" status --watch "${watched[@]}" --migration-dir "$shared" || true
  for i in "${!pids[@]}"; do
    code=0
    while true; do
      wait "${pids[$i]}" && code=0 || code=$?
      kill -0 "${pids[$i]}" 2>/dev/null || break
    done
    if [ "$code" -ne 0 ]; then
      failed=$code
      tell_end "$i" "$code"
    fi
  done
  "${program[@]}" status --champions --migration-dir "$shared"
  return "$failed"
}

pids=() before=()
if [ "$mode" = tmux ]; then
  start_in_tmux
else
  start_in_background
  if [ "$wait_for_end" = yes ]; then wait_for_islands; else wait_for_starts; fi
fi
