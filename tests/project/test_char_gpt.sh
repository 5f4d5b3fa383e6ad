#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# samples/char_gpt learns on each device that there is, writes the same with caches and without, writes
# it again from the file, and refuses nonsense.
set -u
program=samples/char_gpt/char_gpt
scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT
failed=0 devices=0

fail() {
    echo "FAIL: $*"
    failed=1
}

run() {
    sh "$top_builddir/tests/run-one" "$device" $program "$@"
}

# refused STATUS WORDS ARGUMENT..: it exits with STATUS and says WORDS
refused() {
    status=$1 words=$2
    shift 2
    message=$(run "$@" 2>&1 >/dev/null)
    got=$?
    [ $got -eq "$status" ] || fail "$* exits with $got, not $status"
    case $message in
    *"$words"*) ;;
    *) fail "$* says: $message" ;;
    esac
}

# What follows a "t" or a space depends on more than the character before: on what caches keep.
yes 'to be or not to be' | head -n 100 >"$scratch/text"

learns() {
    model=$scratch/$device.pth
    run --steps 50 --layers 2 --width 16 --heads 2 --context 12 --batch 8 --lr 0.02 --dropout 0 \
        --prompt to --length 30 --temperature 0.5 --out "$model" "$scratch/text" >"$scratch/log"
    status=$?
    if [ $status -eq 77 ]; then
        cat "$scratch/log"
        return
    fi
    devices=$((devices + 1))
    [ $status -eq 0 ] || fail "on $device it exits with $status"
    sed "s/^/$device: /" "$scratch/log"
    sed -n 's/^step.*training loss \([0-9.]*\),.*/\1/p' "$scratch/log" |
        awk '{ last = $1 } NR == 1 { first = $1 } END { exit !(NR == 10 && last < 0.5 * first) }' ||
        fail "on $device the loss does not fall to half"

    sed '1,/^step 50/d' "$scratch/log" >"$scratch/written"
    [ "$(wc -c <"$scratch/written")" -eq 33 ] || fail "on $device it does not write 30 characters"
    for option in --seed=1 --no-cache; do
        run --load "$model" --prompt to --length 30 --temperature 0.5 $option >"$scratch/again"
        cmp "$scratch/written" "$scratch/again" || fail "on $device $option writes something else"
    done
}

for device in cpu ref opencl; do
    learns
done
[ $devices -gt 0 ] || exit 77

device=cpu
[ -e "$top_builddir/backends/cpu/.libs/genesis_cpu.so" ] || device=ref
model=$scratch/$device.pth
run --help | grep -q -- '--temperature T' || fail "--help does not help"
refused 2 'whole number' --steps 0
refused 2 'whole number' --layers 1e1
refused 2 'number from 0 to 100' --temperature nan
refused 2 'does not divide' --width 32 --heads 3
refused 2 'One text' one two
refused 2 'Try' --wrong
refused 1 'absent' "$scratch/absent"
refused 1 'is no file' "$scratch"
echo short >"$scratch/short"
refused 1 'is too short' "$scratch/short"
refused 1 'absent' --out "$scratch/absent/model.pth" "$scratch/text"
refused 1 'absent' --load "$scratch/absent.pth"
refused 1 'is no model' --load "$top_srcdir/tests/fixtures/torch.pth"
refused 1 'has no' --load "$model" --prompt '@#~'
exit $failed
