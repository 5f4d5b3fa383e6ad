/* SPDX-License-Identifier: Apache-2.0 */
/* A shared object that is no plugin. */
int genesis_bad_entry(void);

__attribute__((visibility("default"))) int genesis_bad_entry(void) { return 0; }
