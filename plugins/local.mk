# SPDX-License-Identifier: Apache-2.0
# Backends are modules that export gn_backend_entry and see no header of Genesis but the public
# ones. Each folder plugins/NAME is one, genesis_NAME.so; sources.mk has a target for each. The
# template for vendors is built as the reference backend, and installed as it is.

plugin_cppflags = -I$(top_srcdir)/include
plugin_ldflags = $(AM_LDFLAGS) -module -avoid-version -shared -export-symbols-regex '^gn_backend_entry$$'

plugins_ref_genesis_ref_la_CPPFLAGS += -DNAME='"ref"'
templatedir = $(pkgdatadir)/template
dist_template_DATA = $(template_files)

# A plugin is opened by its .so; libtool's .la would only lie beside it.
install-data-hook:
	cd $(DESTDIR)$(plugindir) && for p in $(plugin_LTLIBRARIES); do rm -f `basename $$p`; done
uninstall-hook:
	for p in $(plugin_LTLIBRARIES); do rm -f $(DESTDIR)$(plugindir)/`basename $$p .la`.so; done
