#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes configure and Makefile.in. Needs autoconf 2.71, automake 1.16, libtool 2.4.7, pkg-config.
set -e
cd "$(dirname "$0")"
mkdir -p m4
exec autoreconf --force --install --warnings=all,no-portability "$@"
