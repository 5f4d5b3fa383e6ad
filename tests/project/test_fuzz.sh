#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each fuzz target for GENESIS_FUZZ_SECONDS: by default 20 where the sanitizers watch, else 2. What it
# begins with is in tests/fuzz/corpus. An input that fails stays in the folder in which this runs.
set -u
failed=0
if [ "$sanitizers" = no ]; then seconds=2; else seconds=20; fi
seconds=${GENESIS_FUZZ_SECONDS-$seconds}
folder=$(mktemp -d) || exit 99
trap 'rm -rf "$folder"' EXIT
GENESIS_TEST_TIMEOUT=$((seconds + 300))
export GENESIS_TEST_TIMEOUT
for seeds in "$top_srcdir"/tests/fuzz/corpus/*; do
    target=${seeds##*/}
    mkdir "$folder/$target"
    if "$top_builddir/tests/run-one" ref "tests/fuzz/fuzz_$target" -max_total_time="$seconds" \
        -timeout=60 -max_len=65536 -seed=1 -artifact_prefix="$PWD/fuzz_$target-" -print_final_stats=1 \
        "$folder/$target" "$seeds" >"$folder/log" 2>&1; then
        echo "$target: $(grep -E 'inputs,|number_of_executed_units' "$folder/log")"
    else
        echo "FAIL: fuzz_$target:"
        tail -n 60 "$folder/log"
        failed=1
    fi
done
exit $failed
