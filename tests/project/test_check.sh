#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# genesis-conform behind the layer check, on each backend: operations and their gradients, training,
# single kernels, random programs. None differs from the reference, each can be checked, and near
# ties are few.
set -u
cd "$top_builddir" || exit 99
out=$(mktemp -d) || exit 99
trap 'rm -rf "$out"' EXIT
GENESIS_LOG=info
export GENESIS_LOG
failed=0

# total WORDS: the sum of the numbers that stand before them in the summaries
total() {
    sed -n "s/.*check:[a-z]*:.* \([0-9][0-9]*\) $1.*/\1/p" "$out/log" |
        awk '{ sum += $1 } END { printf "%d", sum }'
}

fail() {
    cat "$out/log"
    echo "FAIL: $*"
    failed=1
}

# try DEVICE GROUP..
try() {
    device=$1
    shift
    only=
    for group in "$@"; do
        only="$only --only $group/*"
    done
    set -f # the patterns are conform's
    # shellcheck disable=SC2086
    tests/run-one "check:$device" tools/genesis-conform/genesis-conform --quiet --no-speed \
        --count 40 $only >"$out/log" 2>&1
    status=$?
    set +f
    if [ $status -eq 77 ]; then
        cat "$out/log"
        return
    fi
    elements=$(total 'elements compared') ties=$(total 'near ties')
    echo "$*, on $device: $(total 'calls checked') calls, $elements elements, $ties near ties"
    [ $status -eq 0 ] || fail "genesis-conform exits with $status"
    [ "$(total 'with differences')" = 0 ] || fail 'there are differences'
    [ "$(total "can't be checked")" = 0 ] || fail 'not all calls can be checked'
    [ "$elements" -gt 10000 ] || fail 'hardly anything was compared'
    [ $((ties * 500)) -le "$elements" ] || fail 'more than 1 of 500 elements is a near tie'
}

for backend in cpu ref; do
    try $backend library training
    try $backend opcodes casts reduce scatter networks programs
done
try cpu pool norm
exit $failed
