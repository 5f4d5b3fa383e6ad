# SPDX-License-Identifier: Apache-2.0
# bench/*.c together are genesis-bench; sources.mk has the target.
