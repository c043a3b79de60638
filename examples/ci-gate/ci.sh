#!/usr/bin/env bash
# What the CI of this project runs: on the main branch `./ci.sh baseline`, on a pull request `./ci.sh`.
# DEVICE names another device than the emulated Raspberry Pi 4, PYTHON another interpreter; further arguments go to
# edgekit.
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-python}
device=${DEVICE:-ci-rpi4}
what=gate
if [ "${1:-}" = baseline ]; then
  what=baseline
  shift
fi

[ -f data/weights.weights.h5 ] || "$python" train.py data
"$python" build.py data build
if [ -z "${DEVICE:-}" ] && ! edgekit emulator list --json | grep -q '"ci-rpi4"'; then
  edgekit emulator up rpi4 --name ci-rpi4
fi
target=rpi4
[ "$device" != local:// ] || target=host
edgekit compile --target "$target" -o build/model.edgekit
edgekit deploy build/model.edgekit --device "$device" --no-profile

if [ "$what" = baseline ]; then
  edgekit baseline save main build/model.edgekit --device "$device" "$@"
else
  edgekit gate build/model.edgekit --device "$device" --junit build/gate.xml --markdown build/gate.md "$@"
fi
