#!/usr/bin/env bash
# Follow the migration logs of all islands, or of those named:
#   scripts/tail_migrations.sh [--python FILE] [ISLAND ...] [options of tail]
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ "${1:-}" = --python ]; then
  python=${2:-}
  [ -n "$python" ] || {
    echo "error: --python needs a program" >&2
    exit 2
  }
  shift 2
else
  python=$(command -v "$home/.venv/bin/python" || command -v python3) || {
    echo "error: no Python found; run 'make setup'" >&2
    exit 2
  }
fi
exec "$python" "$home/cli.py" tail "$@"
