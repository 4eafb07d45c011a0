# shellcheck shell=bash
# Which processes are the islands that were launched; launch_islands.sh and stop_islands.sh source this.
#
# LAUNCH/ISLAND@HOST.pid holds "PID START". A pid alone is used again sooner or later; with the start of its process it
# means one process for ever. The host is in the name because the directory may be shared with other machines, whose
# processes nobody can see from here; so is the namespace of pids, unless it is the host's own: a container has others.

this_host=$(uname -n)
namespace=$(readlink /proc/self/ns/pid 2>/dev/null) || namespace=''
case $namespace in
  '' | 'pid:[4026531836]') ;; # the host's own, by a number that Linux fixes
  *) namespace=${namespace#*[} this_host+=.pidns-${namespace%]} ;;
esac

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

# Record a process, in one step; nothing for one that has ended already.
write_record() {
  local file=$1 begun temporary
  begun=$(start_of "$2") || return 0
  temporary=$(dirname "$file")/.tmp-$$-$(basename "$file")
  printf '%s %s\n' "$2" "$begun" >"$temporary"
  mv -f "$temporary" "$file"
}
