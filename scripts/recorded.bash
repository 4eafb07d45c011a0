# shellcheck shell=bash
# Become an island that is on record: bash recorded.bash RECORD COMMAND ...
#
# The record is there before the island is, so there is no moment in which a launcher can end and leave an island that
# stop_islands.sh does not know; and what names another living process is never replaced.
set -euo pipefail
# shellcheck source=scripts/processes.bash
source "${BASH_SOURCE[0]%/*}/processes.bash"
record=$1
shift
if ! write_record "$record" $$; then
  if [[ $why != *"File exists" ]]; then refuse_by_storage "${record%/*}" "$why"; fi
  read_record "$record" || true
  printf 'error: it was started meanwhile, as process %s\n' "${pid:-unknown}" >&2
  exit $BUSY
fi
exec "$@"
