#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# samples/fashion_mnist trains, saves, reports, tests in another process what it saved, and refuses
# nonsense. On the cpu backend; where that was not built, with few images, on the slow reference.
set -u
cd "$top_builddir" || exit 99
data=/usr/share/datasets/fashion-mnist
[ -e $data ] || {
    echo "SKIP: the data set is absent (Debian, Ubuntu: apt install dataset-fashion-mnist)"
    exit 77
}
program=samples/fashion_mnist/fashion_mnist
device=cpu size=200
[ -e backends/cpu/.libs/genesis_cpu.so ] || device=ref size=8
out=$(mktemp -d) || exit 99
trap 'rm -rf "$out"' EXIT
failed=0

fail() {
    echo "FAIL: $*"
    failed=1
}

GENESIS_DEVICE=$device
GENESIS_PLUGIN_PATH=$top_builddir/backends/cpu/.libs:$top_builddir/plugins/ref/.libs
# intercept_tls_get_addr: LeakSanitizer misreads the TLS of threads of libraries opened by dlopen.
ASAN_OPTIONS=detect_leaks=1:intercept_tls_get_addr=0
LSAN_OPTIONS=suppressions=$top_srcdir/tests/lsan.supp:print_suppressions=0
export GENESIS_DEVICE GENESIS_PLUGIN_PATH ASAN_OPTIONS LSAN_OPTIONS

run() {
    timeout --kill-after=10 600 ./$program "$@"
}

# refused STATUS WORDS ARGUMENT..: it exits with STATUS and says WORDS
refused() {
    status=$1 words=$2
    shift 2
    message=$(run "$@" 2>&1 >"$out/stdout")
    got=$?
    [ $got -eq "$status" ] || fail "$* exits with $got, not $status"
    case $message in
    *"$words"*) ;;
    *) fail "$* says: $message" ;;
    esac
}

run --help >"$out/help" || fail "--help exits with $?"
grep -q -- '--test-limit N' "$out/help" || fail "--help does not help"

refused 2 'whole number' --epochs 0
refused 2 'whole number' --batch 1e3
refused 2 'whole number' --limit -5
refused 2 'whole number' --seed 99999999999999999999
refused 2 'above 0' --lr nan
refused 2 'above 0' --lr -0.1
refused 2 'empty' --out ''
refused 2 'cnn and resnet' --model vgg
refused 2 'what is' model.safetensors
refused 2 'Try' --wrong
refused 2 'Try' --eval
refused 1 'nonesuch' --device nonesuch
refused 1 'dataset-fashion-mnist' --data "$out"
refused 1 'absent.safetensors' --eval "$out/absent.safetensors" --test-limit 8
cp "$out/help" "$out/weights.h5"
refused 1 '.h5 is no known format' --eval "$out/weights.h5" --test-limit 8
cp "$out/help" "$out/text.safetensors"
refused 1 'text.safetensors' --eval "$out/text.safetensors" --test-limit 8

run --limit $size --test-limit $size --epochs 1 --batch 50 --out "$out/run" >"$out/log" ||
    fail "training exits with $?"
cat "$out/log"
grep -q '^epoch 1/1  100%  loss .*images/s' "$out/log" || fail "no progress was shown"
files=$(ls "$out/run" | tr '\n' ' ')
[ "$files" = 'model.safetensors report.html ' ] || fail "it left: $files"
tail -n 1 "$out/run/report.html" | grep -q '</html>' || fail "the report is not whole"
! grep -qE '(src|href)=|https?:' "$out/run/report.html" || fail "the report needs something beside itself"

trained=$(grep '^test accuracy' "$out/log")
tested=$(run --eval "$out/run/model.safetensors" --test-limit $size) || fail "--eval exits with $?"
[ -n "$trained" ] || fail "no test accuracy was shown"
[ "$tested" = "$trained" ] || fail "trained: $trained; another process: $tested"

# An image of the user's, and files that are none.
image=$top_srcdir/tests/fixtures/ankle_boot.png
if ! grep -q GN_WITH_PNG "$top_builddir/Makefile"; then
    echo "Images were not read: configure found no libpng"
else
    said=$(run --eval "$out/run/model.safetensors" --predict "$image") || fail "--predict exits with $?"
    [ "$(echo "$said" | grep -c '%  ')" -eq 3 ] || fail "--predict says: $said"
    refused 1 'neither a PNG nor a JPEG' --eval "$out/run/model.safetensors" --predict "$out/help"
fi
refused 2 'needs the weights' --predict "$image"

run --model resnet --limit $size --test-limit 8 --epochs 1 --batch 50 --out "$out/resnet" >"$out/log" ||
    fail "training a resnet exits with $?"
grep -q '^test accuracy' "$out/log" || fail "no test accuracy of a resnet was shown"
refused 1 'layer1.0.conv1.weight' --eval "$out/resnet/model.safetensors" --test-limit 8

# Ctrl-C after the first epoch, which keeps what that saved.
./$program --limit $size --test-limit 8 --epochs 10000 --batch 50 --out "$out/stopped" >"$out/log" 2>&1 &
process=$!
tries=0
while ! grep -q saved "$out/log" && [ $tries -lt 3000 ] && kill -0 $process; do
    sleep 0.2
    tries=$((tries + 1))
done
kill -INT $process
wait $process
status=$?
[ $status -eq 130 ] || fail "after Ctrl-C it exits with $status: $(cat "$out/log")"
grep -q 'interrupted: .*/model.safetensors has the weights after epoch' "$out/log" ||
    fail "after Ctrl-C it says: $(tail -n 1 "$out/log")"
exit $failed
