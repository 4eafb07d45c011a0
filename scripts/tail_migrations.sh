#!/usr/bin/env bash
# Follow the migration logs of all islands, or of those named: scripts/tail_migrations.sh [ISLAND ...] [options of tail]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-.venv/bin/python}
[ -x "$python" ] || python=python3
exec "$python" cli.py tail "$@"
