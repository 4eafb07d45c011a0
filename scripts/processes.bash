# shellcheck shell=bash
# Which processes are the islands that were launched, and who starts or stops some; the scripts of that source this.
#
# LAUNCH/ISLAND@HOST.pid holds "PID START". A pid alone is used again sooner or later; with the start of its process it
# means one process for ever. The host is in the name because the directory may be shared with other machines, whose
# processes nobody can see from here; so is the namespace of pids, unless it is the host's own: a container has others.
#
# LAUNCH/lock-NUMBER@HOST holds the same of who starts or stops islands from this host. Whoever comes takes the next
# number, and only if the highest one names no living process; so a launcher that was killed blocks nobody.

this_host=$(uname -n)
namespace=$(readlink /proc/self/ns/pid 2>/dev/null) || namespace=''
case $namespace in
  '' | 'pid:[4026531836]') ;; # the host's own, by a number that Linux fixes
  *) namespace=${namespace#*[} this_host+=.pidns-${namespace%]} ;;
esac
# shellcheck disable=SC2034 # for who sources this
readonly BUSY=4 REFUSED=7 # exit codes as of cli.py: somebody living has it; the file system refused

record_file() { printf '%s/%s@%s.pid\n' "$1" "$2" "$this_host"; }

# The start of a living process; fails for one that has ended, zombies included.
# Linux counts ticks since its boot, so a clock that is set, a time zone or a language changes nothing.
start_of() {
  local line fields
  if [ -r /proc/sys/kernel/random/boot_id ]; then
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    read -r -a fields <<<"${line##*) }"
    [[ ${fields[0]} != [ZX] ]] && printf '%s:%s\n' "$(</proc/sys/kernel/random/boot_id)" "${fields[19]:-}"
  else
    start_by_ps "$1"
  fi
}

start_by_ps() {
  local state line
  line=$(TZ=UTC0 LC_ALL=C ps -o stat= -o lstart= -p "$1" 2>/dev/null) || return 1
  read -r state line <<<"$line"
  [[ $state != Z* ]] && printf '%s\n' "$line" | tr -s ' ' '_'
}

is_alive() { [ "$(start_of "$1")" = "$2" ]; }

# Set pid and start from a record; fails if it does not name a process.
read_record() {
  pid='' start=''
  { read -r pid start <"$1"; } 2>/dev/null || true # without its newline a line is read, and read fails
  [[ $pid =~ ^[1-9][0-9]*$ && -n $start ]]
}

names_the_living() { read_record "$1" && is_alive "$pid" "$start"; }

# Write TEXT as a new file beside FILE, set as temporary; a link in its place, as others may put there, is not followed.
write_beside() { # FILE TEXT
  temporary=${1%/*}/.tmp-$$-${1##*/}
  rm -f "$temporary"
  (set -o noclobber && printf '%s' "$2" >"$temporary")
}

# Put TEXT where FILE is, in one step.
replace() { # FILE TEXT
  local temporary
  write_beside "$1" "$2" && mv -f "$temporary" "$1"
}

# Record a living process, whole and in one step; fails and says why, "File exists" where there is a record already.
write_record() {
  local file=$1 begun temporary=${1%/*}/.tmp-$$-${1##*/}
  why="process $2 has ended"
  begun=$(start_of "$2") || return 1
  why=$({ write_beside "$file" "$2 $begun"$'\n' && LC_ALL=C ln "$temporary" "$file"; } 2>&1) || {
    rm -f "$temporary"
    return 1
  }
  rm -f "$temporary"
}

# Remove a record of what has ended. For who holds the lock: a process writes its record only where there is none.
clear_record() {
  if [ -e "$1" ] && ! names_the_living "$1"; then rm -f "$1"; fi
}

refuse_by_storage() {
  printf 'error: cannot write in %s: %s; check the file system\n' "$1" "${2##*: }" >&2
  exit $REFUSED
}

lock_file() { printf '%s/lock-%s@%s\n' "$1" "$2" "$this_host"; }

# The numbers of the locks in LAUNCH, the highest last.
lock_numbers() {
  local file number
  for file in "$1"/lock-*@"$this_host"; do
    number=${file##*/lock-} number=${number%@"$this_host"}
    if [[ $number =~ ^[1-9][0-9]{0,15}$ ]]; then printf '%s\n' "$number"; fi
  done | sort -n
}

highest_lock() { lock_numbers "$1" | tail -n 1; }

# Be the only one on this host who starts or stops islands in LAUNCH, until let_go or the end of this process; fails
# while there is another. A link that refuses an existing name gives a number to one process alone, and the highest is
# never removed; so who looked long ago, and takes a number that has been used and removed, sees a higher one.
take() {
  local highest number
  highest=$(highest_lock "$1")
  if names_the_living "$(lock_file "$1" "${highest:-0}")"; then return 1; fi
  held=$(lock_file "$1" $((${highest:-0} + 1)))
  if ! write_record "$held" $$; then
    if [[ $why = *"File exists" ]]; then return 1; fi
    refuse_by_storage "$1" "$why"
  fi
  if [ "$(highest_lock "$1")" != $((${highest:-0} + 1)) ]; then
    rm -f "$held"
    return 1
  fi
  for number in $(lock_numbers "$1"); do
    if ((number <= ${highest:-0})); then rm -f "$(lock_file "$1" "$number")"; fi
  done
}

let_go() { replace "$held" ''; }

# The process that starts or stops islands in LAUNCH.
holder() {
  if ! names_the_living "$(lock_file "$1" "$(highest_lock "$1")")"; then pid=''; fi # it has just ended, or let go
  printf 'process %s\n' "${pid:-that has just ended}"
}
