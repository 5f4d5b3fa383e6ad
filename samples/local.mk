# SPDX-License-Identifier: Apache-2.0
# Each samples/NAME.c, or folder samples/NAME, is a program; sources.mk has the targets.

# The training program is useful as a check of an installation, too.
install-exec-local: samples/fashion_mnist/fashion_mnist
	$(MKDIR_P) $(DESTDIR)$(bindir)
	$(LIBTOOL) $(AM_LIBTOOLFLAGS) --mode=install $(INSTALL_PROGRAM) \
		samples/fashion_mnist/fashion_mnist$(EXEEXT) $(DESTDIR)$(bindir)/genesis-fashion-mnist$(EXEEXT)

uninstall-local:
	rm -f $(DESTDIR)$(bindir)/genesis-fashion-mnist$(EXEEXT)
