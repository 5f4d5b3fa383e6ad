# SPDX-License-Identifier: Apache-2.0
# Each tools/NAME.c, or folder tools/NAME, is an installed program; sources.mk has the targets.
