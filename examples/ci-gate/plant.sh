#!/usr/bin/env bash
# Plant a bug for the gate to find: `./plant.sh accuracy` scales pixels as if they went to 255, `./plant.sh slow` adds a
# convolution that copies its input, about 20 % more work, `./plant.sh none` takes both back.
set -euo pipefail
cd "$(dirname "$0")"
scale='PIXEL_SCALE = 1 / 16'
blocks='EXTRA_BLOCKS = 0'
case "${1:-}" in
  accuracy) scale='PIXEL_SCALE = 1 / 255' ;;
  slow) blocks='EXTRA_BLOCKS = 1' ;;
  none) ;;
  *)
    echo "usage: $0 accuracy|slow|none" >&2
    exit 2
    ;;
esac
sed -i "s|^PIXEL_SCALE = .*|$scale|; s|^EXTRA_BLOCKS = .*|$blocks|" network.py
