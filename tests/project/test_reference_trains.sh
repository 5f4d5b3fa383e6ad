#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The training program on the reference backend: convolutions, pooling, norms, losses and their
# gradients, all composed of map, reduce and scatter. The reference is slow, so there are few images.
set -u
cd "$top_builddir" || exit 99
data=/usr/share/datasets/fashion-mnist
[ -e $data ] || {
    echo "SKIP: the data set is absent (Debian, Ubuntu: apt install dataset-fashion-mnist)"
    exit 77
}
[ "$sanitizers" = no ] || {
    echo "SKIP: takes too long under sanitizers, which see the same code in the other tests"
    exit 77
}
out=$(mktemp -d) || exit 99
trap 'rm -rf "$out"' EXIT
GENESIS_PLUGIN_PATH=$top_builddir/plugins/ref/.libs
export GENESIS_PLUGIN_PATH
timeout --kill-after=10 2400 samples/fashion_mnist/fashion_mnist --device ref --limit 200 \
    --test-limit 200 --epochs 1 --batch 50 --out "$out" >"$out/log" || {
    cat "$out/log"
    echo "FAIL: training exits with $?"
    exit 1
}
cat "$out/log"
grep -q '^test accuracy' "$out/log" && [ -s "$out/model.safetensors" ] && [ -s "$out/report.html" ]
