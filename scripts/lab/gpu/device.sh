#!/bin/bash
# Experiment 5 on a machine that has a GPU for some minutes and no network, in one command.
#
#   scripts/lab/gpu/device.sh prepare WHEELS [PYTHON]    where there is a network: the packages, for Python 3.12
#   scripts/lab/gpu/device.sh run OUT WHEELS [FLAGS]     there: bits, tests and all rows, in eight minutes
#
# A part that fails does not stop the next. To rehearse without a GPU: run OUT "" --emulate --quick
set -uo pipefail
cd "$(dirname "$0")/../../.." || exit 2

# What such a machine may lack; NVRTC comes with its PyTorch, and is too large to carry.
packages=(cuda-core cuda-bindings cuda-pathfinder msgspec filelock psutil safetensors click rich markdown-it-py mdurl pygments)

prepare() {
    local platforms=()
    for n in 2_17 2_24 2_27 2_28 2_34; do platforms+=(--platform "manylinux_${n}_x86_64"); done
    python3 -m pip download --quiet --no-deps --only-binary=:all: --implementation cp --python-version "${2:-3.12}" \
        "${platforms[@]}" --platform manylinux2014_x86_64 -c constraints.txt -d "$1" "${packages[@]}"
}

part() { # part SECONDS NAME COMMAND...
    local limit_s=$1 name=$2 began=$SECONDS
    shift 2
    echo "== $name"
    timeout --kill-after 5 "$limit_s" "$@" || echo "$name: exit status $?"
    echo "   ($name took $((SECONDS - began)) s)"
}

has() { command -v "$1" > /dev/null; }

run() {
    local out=$1 wheels=$2
    shift 2
    local site
    site=$(mktemp -d) && trap 'rm -rf "$site"' EXIT
    [ -z "$wheels" ] || python3 -m pip install --quiet --no-index --no-deps --target "$site" "$wheels"/*.whl
    export PYTHONPATH="$site:$PWD/src:$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
    mkdir -p "$out"
    {
        has nvidia-smi && part 10 nvidia-smi nvidia-smi
        part 410 measure python3 -m scripts.lab gpu --limit-s 400 --out "$out" "$@"
        part 40 tests python3 -m pytest -q -rs -p no:cacheprovider tests/evo/tasks/creatures/test_cuda.py -k "GPU and not slow"
        has compute-sanitizer && part 30 memcheck \
            compute-sanitizer --tool memcheck python3 -m scripts.lab gpu bits --inside --quick --out "$out/memcheck"
        has ncu && part 30 profile ncu --clock-control none --section SpeedOfLight --section WarpStateStats \
            --section Occupancy -k live -c 1 python3 -m scripts.lab gpu bits --inside --quick --out "$out/profile"
    } 2>&1 | tee "$out/device.log"
}

case "${1:-}" in
    prepare) prepare "${@:2}" ;;
    run) run "${@:2}" ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac
