# SPDX-License-Identifier: Apache-2.0
dist_man_MANS += $(man_pages)
dist_doc_DATA = docs/backend-howto.md
