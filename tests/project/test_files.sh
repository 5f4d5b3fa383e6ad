#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `genesis inspect` and `genesis convert`; and that a file which is replaced is the old one or the new
# one, whenever the program that writes it is killed.
set -u
failed=0
genesis=$top_builddir/tools/genesis/genesis
fixtures=$top_srcdir/tests/fixtures
folder=$(mktemp -d) || exit 99
trap 'rm -rf "$folder"' EXIT
GENESIS_PLUGIN_PATH=$top_builddir/plugins/ref/.libs
GENESIS_DEVICE=ref
export GENESIS_PLUGIN_PATH GENESIS_DEVICE

fail() {
    echo "FAIL: $*"
    failed=1
}

# expect STATUS PART ARGUMENT..: runs genesis; stdout and stderr together must contain PART
expect() {
    wanted=$1 part=$2
    shift 2
    output=$("$genesis" "$@" 2>&1)
    status=$?
    [ $status -eq "$wanted" ] || fail "genesis $*: exit status $status, not $wanted"
    case $output in
    *"$part"*) ;;
    *) fail "genesis $*: no '$part' in:
$output" ;;
    esac
}

# ---- inspect

expect 0 "Usage: genesis inspect" inspect --help
expect 2 "no file is given" inspect
expect 2 "there is no option '--frob'" inspect --frob
expect 2 "one file too many" inspect a.pth b.pth
expect 1 "No such file" inspect "$folder/absent.pth"
expect 1 "no known format" inspect "$folder/absent.h5"
expect 1 "old format" inspect "$fixtures/old.pth"
expect 0 "17 tensors, 67 elements, 251 bytes" inspect "$fixtures/torch.pth"
expect 0 "matrix           float32   (3, 4)              min 0  max 11  mean 5.5  std 3.60555" \
    inspect "$fixtures/torch.pth"
expect 0 "empty            float32   (0, 5)" inspect "$fixtures/torch.pth"
expect 0 "numbered.10      ten" inspect "$fixtures/torch.pth"
expect 0 "float            0.1" inspect "$fixtures/torch.pth"
expect 0 "tensor  int32     (2, 3)" inspect "$fixtures/numpy.npy"
expect 0 '"epoch": 2' inspect --json "$fixtures/training.pth"
expect 0 '"lr": 0.0025' inspect --json "$fixtures/training.pth"
expect 0 '"std": 3.6055512754639891' inspect --json "$fixtures/torch.pth"

# ---- convert

expect 0 "Usage: genesis convert" convert --help
expect 2 "two files are needed" convert a.pth
expect 2 "one file too many" convert a.pth b.pth c.pth
expect 2 "--part needs a name" convert a.pth b.pth --part
expect 1 'has no dictionary "frob"' convert --part frob "$fixtures/training.pth" "$folder/a.pth"
expect 1 "no known format" convert "$fixtures/training.pth" "$folder/a.h5"
expect 0 "" convert --part model_state_dict "$fixtures/training.pth" "$folder/model.safetensors"
expect 0 "4 tensors, 11 elements" inspect "$folder/model.safetensors"
expect 0 "left out: optimizer_state_dict.param_groups.0.foreach" \
    convert "$fixtures/training.pth" "$folder/all.npz"
expect 0 "optimizer_state_dict.param_groups.0.lr" inspect "$folder/all.npz"
expect 0 "" convert "$fixtures/torch.pth" "$folder/copy.pt"
"$genesis" inspect "$fixtures/torch.pth" | sed 1d >"$folder/wanted"
"$genesis" inspect "$folder/copy.pt" | sed 1d | diff "$folder/wanted" - ||
    fail "genesis convert changes what inspect shows"

# ---- kill -9

# array BYTE FILE: a .npy file of 4 MiB of that byte
array() {
    header="{'descr': '|u1', 'fortran_order': False, 'shape': (4194304,), }"
    {
        printf '\223NUMPY\1\0\'"$(printf %o ${#header})"'\0%s' "$header"
        head -c 4194304 /dev/zero | tr '\0' "\\$1"
    } >"$2"
}

# interrupt SUFFIX: kills a program that replaces a file at random moments
interrupt() {
    for k in 1 2; do
        "$genesis" convert "$folder/$k.npy" "$folder/$k.$1" || fail "convert to .$1"
    done
    target=$folder/target.$1 tries=0 cut=0
    cp "$folder/1.$1" "$target"
    start=$(date +%s%N)
    "$genesis" convert "$folder/1.npy" "$target"
    microseconds=$((($(date +%s%N) - start) / 1000))
    while [ $tries -lt 60 ] && [ $cut -lt 10 ]; do
        tries=$((tries + 1))
        "$genesis" convert "$folder/$((tries % 2 + 1)).npy" "$target" 2>/dev/null &
        child=$!
        sleep "$(awk -v t=$microseconds -v n=$tries 'BEGIN { srand(n); print t * 1e-6 * rand() }')"
        kill -9 $child 2>/dev/null
        wait $child 2>/dev/null
        cmp -s "$target" "$folder/1.$1" || cmp -s "$target" "$folder/2.$1" ||
            fail "$target is neither the old file nor the new one after kill -9, try $tries"
        for part in "$target".*.part; do
            [ ! -e "$part" ] || cut=$((cut + 1))
            rm -f "$part"
        done
    done
    echo ".$1: killed $tries times, $cut of them while the file was written"
    [ $cut -gt 0 ] || fail "no kill came while the file was written"
}

array 1 "$folder/1.npy"
array 2 "$folder/2.npy"
for suffix in pth safetensors npz; do
    interrupt $suffix
done
exit $failed
