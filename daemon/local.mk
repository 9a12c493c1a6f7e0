# SPDX-License-Identifier: MIT
bin_PROGRAMS += daemon/bstreamd
daemon_bstreamd_SOURCES = daemon/main.c daemon/access.c daemon/access.h \
	daemon/reload.c daemon/reload.h $(broker_objects)
# All but main and the files of rules: tests/fuzz/wire is made of it, too.
broker_objects = \
	daemon/broker.h daemon/source.h daemon/loop.c \
	daemon/socket.c daemon/socket.h \
	daemon/client.c daemon/client.h \
	daemon/request.c daemon/request.h daemon/serve.c daemon/adopt.c \
	daemon/mailbox.c daemon/mailbox.h \
	daemon/letter.c daemon/letter.h \
	daemon/rights.c daemon/rights.h daemon/rules.c daemon/rules.h daemon/account.c daemon/account.h \
	daemon/notify.c daemon/notify.h daemon/keeper.c daemon/keeper.h \
	daemon/stream.c daemon/stream.h \
	daemon/registry.c daemon/registry.h \
	daemon/sorted.c daemon/sorted.h \
	daemon/watch.c daemon/watch.h \
	daemon/scan.c daemon/scan.h \
	daemon/bus.c daemon/bus.h \
	daemon/closer.c daemon/closer.h \
	daemon/figures.c daemon/figures.h daemon/metrics.c daemon/metrics.h \
	daemon/scrape.c daemon/scrape.h \
	daemon/log.c daemon/log.h daemon/dump.c daemon/dump.h
daemon_bstreamd_CFLAGS = $(AM_CFLAGS) $(INIH_CFLAGS)
daemon_bstreamd_LDADD = proto/libbsproto.la $(INIH_LIBS)

# Units for systemd (configure.ac says where). Both kinds of broker have units of the same name.
systemdsystemunit_DATA = daemon/systemd/system/bstreamd.socket daemon/systemd/system/bstreamd.service \
	daemon/systemd/system/bstreamd-metrics.socket
systemduserunit_DATA = daemon/systemd/user/bstreamd.socket daemon/systemd/user/bstreamd.service
EXTRA_DIST += \
	daemon/systemd/system/bstreamd.socket daemon/systemd/system/bstreamd.service.in \
	daemon/systemd/system/bstreamd-metrics.socket \
	daemon/systemd/user/bstreamd.socket daemon/systemd/user/bstreamd.service.in \
	daemon/systemd/bstream-sysusers.conf
# Rules to begin with. Where they are read is the administrator's: /etc/bstream/access.d.
access_exampledir = $(docdir)/access.d
dist_access_example_DATA = daemon/50-example.conf
CLEANFILES += daemon/systemd/system/bstreamd.service daemon/systemd/user/bstreamd.service

unit_edit = $(AM_V_GEN)$(MKDIR_P) $(@D) && $(SED) 's|[@]bindir[@]|$(bindir)|g' <$< >$@
daemon/systemd/system/bstreamd.service: daemon/systemd/system/bstreamd.service.in Makefile
	$(unit_edit)
daemon/systemd/user/bstreamd.service: daemon/systemd/user/bstreamd.service.in Makefile
	$(unit_edit)

install-data-local:
	$(MKDIR_P) $(DESTDIR)$(sysusersdir)
	$(INSTALL_DATA) $(srcdir)/daemon/systemd/bstream-sysusers.conf \
		$(DESTDIR)$(sysusersdir)/bstream.conf
uninstall-local:
	rm -f $(DESTDIR)$(sysusersdir)/bstream.conf
