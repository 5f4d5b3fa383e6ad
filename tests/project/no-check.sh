#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
echo "SKIP: the unit tests were not built: configure did not find Check (Debian, Ubuntu: apt install check)"
exit 77
