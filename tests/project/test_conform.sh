#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The program genesis-conform: its options and reports, and that it finds and names what a plugin does
# wrong. That cpu and ref pass is tested by running it on each device.
set -u
failed=0
conform=$top_builddir/tools/genesis-conform/genesis-conform
GENESIS_PLUGIN_PATH=$top_builddir/tests/plugins/.libs
for folder in "$top_builddir"/plugins/*/.libs; do
    GENESIS_PLUGIN_PATH=$GENESIS_PLUGIN_PATH:$folder
done
GENESIS_DEVICE=ref
# A crash is to be one; for the other option see run-one.
ASAN_OPTIONS=handle_segv=0:intercept_tls_get_addr=0:${ASAN_OPTIONS-}
export GENESIS_PLUGIN_PATH GENESIS_DEVICE ASAN_OPTIONS
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 99 # where layers write to

# expect STATUS PART ARGUMENT..: runs genesis-conform; stdout and stderr together must contain PART
expect() {
    wanted=$1 part=$2
    shift 2
    output=$("$conform" --quiet "$@" 2>&1)
    status=$?
    if [ $status -ne "$wanted" ]; then
        echo "FAIL: genesis-conform $*: exit status $status, not $wanted:"
        echo "$output"
        failed=1
    fi
    case $output in
    *"$part"*) ;;
    *)
        echo "FAIL: genesis-conform $*: no '$part' in:"
        echo "$output"
        failed=1
        ;;
    esac
}

expect 0 "genesis-conform 0." --version
expect 0 "Usage: genesis-conform" --help
expect 0 "map/strides/3" --list
expect 0 "map/strides/3" --list --only 'map/str*'
expect 2 "no case matches --only frobnicate" --only frobnicate
expect 2 "unrecognized option" --frobnicate
expect 2 "'x' is not a number" --count x
expect 2 "is not the file of a plugin" ./frobnicate.so
expect 2 "no plugin genesis_frobnicate.so" --device frobnicate
expect 2 "no plugin genesis_frobnicate.so" --reference frobnicate
expect 2 "the firmware is missing" "$top_builddir/tests/plugins/.libs/genesis_bad_start.so"
expect 0 "1 passed, 0 failed, 0 skipped" --only map/strides/3
expect 0 "2 passed, 0 failed" "$top_builddir/plugins/ref/.libs/genesis_ref.so" --only reduce/tiles/0 --only map/large
expect 0 "row_map                  float32   composed" --only networks/softmax_rows
expect 0 "random map                         pass           3" --only programs/map --count 3 --seed 77
expect 0 "GB/s" --only speed/scatter
expect 0 "0 failed" --device trace:ref --only contract --only scatter

# ---- Reports

"$conform" --quiet --only map/large --json "$folder/r.json" --junit "$folder/r.xml" >/dev/null
grep -q '"case": "map/large"' "$folder/r.json" || {
    echo "FAIL: the JSON lacks map/large"
    failed=1
}
grep -q '<testcase classname="map" name="map/large" time="[0-9.]*"/>' "$folder/r.xml" || {
    echo "FAIL: the JUnit report lacks map/large"
    failed=1
}
expect 0 '"kernel": "map"' --only map/large --json -
expect 1 "can't be created" --only map/large --json "$folder/none/r.json"

# ---- A device with streams

expect 0 "6 passed, 0 failed, 0 skipped" --device async --only streams
expect 0 "random reduce                      pass" --device async --only programs --count 5
expect 0 "0 failed, 0 skipped" --device async --only threads --only memory/several_devices
export GENESIS_ASYNC=blind
expect 1 "FAIL streams/order" --device async --only streams
export GENESIS_ASYNC=mute
expect 1 "with the tag of" --device async --only streams
unset GENESIS_ASYNC

# ---- What cpu is known to have: a kernel that it declined would be composed, and no failure

if [ -e "$top_builddir/backends/cpu/.libs/genesis_cpu.so" ]; then
    GENESIS_PLUGIN_PATH=$GENESIS_PLUGIN_PATH:$top_builddir/backends/cpu/.libs
    expect 0 " 0 failed" --device cpu --only conv --only matmul --only pool --only norm
    for row in 'matmul +float32 +pass +39 +2' 'conv_forward +float32 +pass +124' \
        'conv_backward_data +float32 +pass +124' 'conv_backward_weight +float32 +pass +124' \
        'max_pool_forward +float32 +pass +80 +40' 'max_pool_backward +float32 +pass +80' \
        'avg_pool_forward +float32 +pass +40 +20' 'avg_pool_backward +float32 +pass +40' \
        'batch_norm_forward +float32 +pass +20 +11' 'batch_norm_backward +float32 +pass +20 +11'; do
        echo "$output" | grep -Eq "^$row " || {
            echo "FAIL: cpu declines more than it did: no '$row'"
            failed=1
        }
    done
    # What the host composes of planned kernels, as a backend's own: none is declined.
    expect 0 " 0 failed" --device composed:cpu --no-speed --only conv --only matmul --only pool --only norm
    if echo "$output" | grep -E '^[a-z_]+ +[a-z0-9]+ +composed'; then
        echo "FAIL: the host can't compose these"
        failed=1
    fi
fi

# ---- Plugins that are wrong

# misbehaves FAULT PART ARGUMENT..: the layer `fault` does so in front of ref, and it is found
misbehaves() {
    GENESIS_FAULT=$1
    export GENESIS_FAULT
    shift
    expect 1 "$@" --device fault:ref --no-speed
    unset GENESIS_FAULT
}

if [ -e "$top_builddir/tests/plugins/.libs/genesis_fault.so" ]; then
    misbehaves function=map,mode=crash "the process crashed: SIG" --only map/large --only reduce/tails
    misbehaves function=map,mode=crash "1 passed, 1 failed" --only map/large --only reduce/tails
    misbehaves function=map,mode=crash "smallest program that fails like that of seed 4" --only programs/map/3
    misbehaves function=map,mode=hang "no answer in 2 s" --only map/large --timeout 2
    misbehaves function=reduce,mode=wrong "element 0 is" --only reduce/tiles/0
    misbehaves function=reduce,mode=wrong "REDUCE" --only programs/reduce/0
    misbehaves function=scatter,mode=overrun "after the buffer's end" --only scatter/large
    misbehaves function=map,mode=lie "map                      float64   FAIL" --only map/tails
    misbehaves function=alloc,status=memory "GN_E_MEMORY" --only memory/copies
    [ -n "${sanitizers#no}" ] ||
        misbehaves function=upload,mode=leak "bytes of the heap each time" --only memory/block_leaks
else
    echo "The layer fault is not there: what it does is not looked for."
fi
exit $failed
