#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tests of operations, training and optimizers behind the layer check, on each backend: each call is
# compared, none differs, and near ties are few.
set -u
cd "$top_builddir" || exit 99
[ -x tests/ops/test_pointwise ] || {
    echo "SKIP: the unit tests were not built (Check is absent)"
    exit 77
}
failed=0
out=$(mktemp -d) || exit 99
trap 'rm -rf "$out"' EXIT
GENESIS_LOG=info
export GENESIS_LOG

# number WORDS: what the summary says before them
number() {
    sed -n "s/.*check:.* \([0-9][0-9]*\) $1.*/\1/p" "$out/log"
}

# try DEVICE PROGRAM
try() {
    tests/run-one "check:$1" "$2" >"$out/log" 2>&1
    status=$?
    if [ $status -eq 77 ]; then
        cat "$out/log"
        return
    fi
    elements=$(number 'elements compared') skipped=$(number 'near ties')
    echo "$2 on $1: $(number 'calls checked') calls, ${elements:-no} elements, ${skipped:-no} near ties"
    if [ $status -ne 0 ] || [ "${elements:-0}" -lt 1000 ] || [ "$(number 'with differences')" != 0 ] ||
        [ "$(number "can't be checked")" != 0 ] || [ $((skipped * 500)) -gt "$elements" ]; then
        cat "$out/log"
        echo "FAIL: $2 on check:$1"
        failed=1
    fi
}

for device in cpu ref; do
    for program in tests/ops/test_pointwise tests/ops/test_reduce tests/ops/test_softmax \
        tests/ops/test_norm tests/ops/test_loss tests/ops/test_pool tests/ops/test_conv \
        tests/ops/test_embedding tests/nn/test_training tests/optim/test_adam; do
        try $device $program
    done
done
exit $failed
