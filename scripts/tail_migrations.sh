#!/usr/bin/env bash
# Follow the migration logs of all islands, or of those named:
#   scripts/tail_migrations.sh [--python FILE] [ISLAND ...] [options of tail]
set -euo pipefail
# shellcheck source=scripts/program.bash
source "$(dirname "${BASH_SOURCE[0]}")/program.bash"
python=''
if [ "${1:-}" = --python ]; then
  python=${2:-}
  [ -n "$python" ] || fail "--python needs a program"
  shift 2
fi
choose_program "$python"
exec "${program[@]}" tail "$@"
