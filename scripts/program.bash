# shellcheck shell=bash disable=SC2034 # what this sets is for who sources it
# The program that the scripts start, and the names by which what they print calls it and them; they source this.
#
# They lie in a checkout, or in the package `atoll` among those of a Python.

fail() { printf 'error: %s\n' "$*" >&2; exit 2; }

home=$(cd -P "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ -f "$home/pyproject.toml" ]; then
  typed=cli.py launching=scripts/launch_islands.sh stopping=scripts/stop_islands.sh ending='make stop'
  pythons=("$home/.venv/bin/python" python3)
else
  typed=atoll launching='atoll launch' stopping='atoll stop' ending='atoll stop'
  pythons=("$home/../../../../bin/python" python3)
fi

# Set python, to PYTHON or else to what is there, and what runs a command of Atoll with it, as an array.
choose_program() { # [PYTHON]
  if [ -n "${1:-}" ]; then
    python=$(command -v "$1") || fail "--python names no program"
  else
    python=$(command -v "${pythons[0]}" || command -v "${pythons[1]}") || fail "no Python found; run 'make setup'"
  fi
  program=("$python" "$home/cli.py")
  if [ "$typed" = atoll ]; then program=("$python" -P -m atoll); fi # -P: nothing of the working directory hides a package
}
