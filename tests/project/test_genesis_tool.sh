#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The program `genesis`: its commands, its exit statuses, what it says of plugins fit and unfit.
set -u
failed=0
genesis=$top_builddir/tools/genesis/genesis
GENESIS_PLUGIN_PATH=$top_builddir/plugins/ref/.libs:$top_builddir/tests/plugins/.libs:/no/such/folder
GENESIS_DEVICE=ref
export GENESIS_PLUGIN_PATH GENESIS_DEVICE

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
expect 0 '"default": "ref"' devices --json
expect 0 '"reason": "its table lacks the required function '"'scatter'"'"' devices --json
expect 0 '"device": "recorder:1"' devices --json

# What can't be written is a failure.
if [ -c /dev/full ] && "$genesis" devices >/dev/full 2>/dev/null; then
    echo "FAIL: genesis devices >/dev/full succeeds"
    failed=1
fi
exit $failed
