#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each source file names its licence in its first three lines: Apache-2.0, or MIT-0 where vendors copy it.
set -u
cd "$top_srcdir" || exit 99
failed=0
files=$(find include libgenesis backends plugins tools bench samples tests \
    \( -name '.?*' -o -name fixtures -o -path tests/run-one \) -prune -o -type f \
    \( -name '*.[ch]' -o -name '*.cpp' -o -name '*.def' -o -name '*.inc' -o -name '*.cl' -o -name '*.cu' -o -name '*.py' \
    -o -name '*.sh' -o -name '*.mk' -o -name '*.in' \) -print)
for file in $files configure.ac Makefile.am autogen.sh quickstart runtests sources.mk tools/update-sources .ci/run; do
    head -n 3 "$file" | grep -qE 'SPDX-License-Identifier: (Apache-2\.0|MIT-0)( |$)' || {
        echo "FAIL: $file has no SPDX line"
        failed=1
    }
done
for file in include/genesis/backend.h plugins/template/Makefile plugins/template/*.[ch]; do
    head -n 1 "$file" | grep -q 'MIT-0' || {
        echo "FAIL: $file is not MIT-0, and vendors copy it"
        failed=1
    }
done
exit $failed
