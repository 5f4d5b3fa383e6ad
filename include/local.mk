# SPDX-License-Identifier: Apache-2.0
genesisincludedir = $(includedir)/genesis
genesisinclude_HEADERS = $(public_headers)
