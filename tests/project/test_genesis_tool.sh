#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The program `genesis`: its commands, its exit statuses, what it says of plugins fit and unfit.
set -u
failed=0
genesis=$top_builddir/tools/genesis/genesis
folder=$(mktemp -d) || exit 99
trap 'rm -rf "$folder"' EXIT
strange=$folder/$(printf 'str\344nge') # no UTF-8
mkdir "$folder/patient" "$strange" || exit 99
for plugin in "$top_builddir"/tests/plugins/.libs/genesis_*.so; do
    case $plugin in
    *bad_hang*) ln -s "$plugin" "$folder/patient" ;;
    *) ln -s "$plugin" "$folder" ;;
    esac
done
echo 'not a plugin' >"$strange/$(printf 'notes\033.txt')"
GENESIS_PLUGIN_PATH=$top_builddir/plugins/ref/.libs:$folder:$strange:/no/such/folder
GENESIS_DEVICE=ref
# gcc's sanitizer would make an exit of a crash
ASAN_OPTIONS=handle_segv=0:${ASAN_OPTIONS-}
export GENESIS_PLUGIN_PATH GENESIS_DEVICE ASAN_OPTIONS

# One that never answers is given up after 10 s: meanwhile the rest is tested.
GENESIS_PLUGIN_PATH=$folder/patient:$top_builddir/plugins/ref/.libs "$genesis" devices \
    >"$folder/hang" 2>&1 &
hanging=$!

# expect STATUS PART ARGUMENT..: runs genesis; stdout and stderr together must contain PART
expect() {
    wanted=$1 part=$2
    shift 2
    output=$("$genesis" "$@" 2>&1)
    status=$?
    if [ $status -ne "$wanted" ]; then
        echo "FAIL: genesis $*: exit status $status, not $wanted"
        failed=1
    fi
    case $output in
    *"$part"*) ;;
    *)
        echo "FAIL: genesis $*: no '$part' in:"
        echo "$output"
        failed=1
        ;;
    esac
}

expect 0 "genesis 0." --version
expect 0 "Commands:" --help
expect 2 "no command is given"
expect 2 "there is no command 'frobnicate'" frobnicate
expect 2 "there is no option '--frobnicate'" --frobnicate
expect 0 "Usage: genesis devices" devices --help
expect 2 "there is no argument '--frob'" devices --frob
expect 0 "(the default device)" devices
expect 0 "plugins/ref/.libs/genesis_ref.so" devices
expect 0 "recorder:1  Fake device, another one" devices
expect 0 "can't be used: it needs ABI 7.3" devices
expect 0 "can't be used: it finds no device: the driver is not installed" devices
expect 0 "the folder can't be read: No such file or directory" devices
expect 0 "  another file, notes?.txt: a plugin is named genesis_NAME.so" devices
expect 0 "can't be used: it ended with SIGSEGV when it described device 1" devices
expect 0 "can't be used: it ended the process with exit status 3 when it was loaded" devices
expect 0 "can't be used: it counts -3 devices" devices
expect 0 "can't be used: its entry failed: it answered 1, which is no status" devices
expect 0 "bad_info    device: 'bad_info': it can't be described: a name that its plugin gives" devices
expect 0 "described: it answered 7, which is no status" devices
expect 0 "a layer: write 'veil:' in front of a device" devices
expect 0 "small_table  Fake device" devices # behind those that crash
expect 0 '/str?nge"' devices --json
expect 0 '"layer": true' devices --json
expect 0 '"reason": "it ended with SIGSEGV when it described device 1"' devices --json
expect 0 '"reason": "another file, notes?.txt: a plugin is named genesis_NAME.so"' devices --json
expect 0 '"default": "ref"' devices --json
expect 0 '"reason": "its table lacks the required function '"'scatter'"'"' devices --json
expect 0 '"device": "recorder:1"' devices --json

# What a plugin prints is none of the JSON.
if "$genesis" devices --json 2>/dev/null | grep -q 'good bye'; then
    echo "FAIL: genesis devices --json contains what a plugin prints"
    failed=1
fi

if ! wait $hanging; then
    echo "FAIL: genesis devices fails with a plugin that hangs"
    failed=1
fi
if ! grep -q "can't be used: it did not answer in 10 s when it was loaded" "$folder/hang" ||
    ! grep -q "ref  *reference" "$folder/hang"; then
    echo "FAIL: genesis devices with a plugin that hangs:"
    cat "$folder/hang"
    failed=1
fi

# What can't be written is a failure.
if [ -c /dev/full ] && "$genesis" devices >/dev/full 2>/dev/null; then
    echo "FAIL: genesis devices >/dev/full succeeds"
    failed=1
fi
exit $failed
