#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The samples are C++20 as well as C11.
set -u
if [ -z "$CXX" ]; then
    echo "SKIP: configure found no C++ compiler (Debian, Ubuntu: apt install g++)"
    exit 77
fi
failed=0
for sample in "$top_srcdir"/samples/[0-9]*.c; do
    [ -e "$sample" ] || continue
    $CXX -std=c++20 -Wall -Wextra -Werror -I"$top_srcdir/include" -fsyntax-only -x c++ "$sample" || {
        echo "FAIL: $sample is not C++20"
        failed=1
    }
done
exit $failed
