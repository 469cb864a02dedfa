#!/bin/sh
# Everything that a machine with one NVIDIA GPU measures and verifies, in at most eight minutes:
#   sh tests/device/run.sh [OUT.json] [--device cpu] [--quick] [--only SECTION ...]
# README.md beside this file says what is written. PYTHON names the interpreter; one that has torch
# for the device and all that the tests need is used as it is, without a network.
set -eu
began=$(date +%s)
here=$(pwd)
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
needed="import torch, lightning, pytest, hypothesis, skimage, av, cv2, jsonargparse, soxr"

device=cuda
previous=
for word in "$@"; do
  case "$previous" in --device) device=$word ;; esac
  previous=$word
done
case "$device" in cpu) usable=True ;; *) usable="torch.cuda.is_available()" ;; esac

if ! "$python" -c "$needed; raise SystemExit(not $usable)" 2>/dev/null; then
  environment=${DEVICE_VENV:-.venv-device}
  test -x "$environment/bin/python" || "$python" -m venv --system-site-packages "$environment"
  # a torch that is there is for this machine's GPU: it stays
  versions=$environment/constraints.txt
  "$python" -c "import torch" 2>/dev/null && drop='^torch==' || drop='^$'
  grep -v "$drop" constraints.txt > "$versions"
  timeout "${DEVICE_INSTALL:-180}" "$environment/bin/python" -m pip install --quiet \
    --disable-pip-version-check -c "$versions" ".[dev]" >&2 ||
    echo "cannot install everything; working with what there is" >&2
  if "$environment/bin/python" -c "import torch" 2>/dev/null; then
    python=$environment/bin/python
  fi
fi

# the package of this folder, wherever else one is installed
PYTHONPATH="$(pwd)/src:$(pwd)${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONPATH
case "${1:-}" in
  "" | -* | /*) ;;
  *) first=$here/$1; shift; set -- "$first" "$@" ;;
esac
left=$((${DEVICE_SECONDS:-470} - $(date +%s) + began))
OUT=${OUT:-$here} exec "$python" -m tests.device --seconds "$left" "$@"
