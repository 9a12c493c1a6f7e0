# SPDX-License-Identifier: MIT
bin_PROGRAMS += daemon/bstreamd
daemon_bstreamd_SOURCES = daemon/main.c $(broker_objects)
# All but main: tests/fuzz/wire is made of it, too.
broker_objects = \
	daemon/broker.h daemon/loop.c \
	daemon/socket.c daemon/socket.h \
	daemon/client.c daemon/client.h \
	daemon/request.c daemon/request.h daemon/serve.c daemon/adopt.c \
	daemon/mailbox.c daemon/mailbox.h \
	daemon/letter.c daemon/letter.h \
	daemon/rights.c daemon/rights.h \
	daemon/stream.c daemon/stream.h \
	daemon/registry.c daemon/registry.h \
	daemon/sorted.c daemon/sorted.h \
	daemon/watch.c daemon/watch.h \
	daemon/scan.c daemon/scan.h \
	daemon/bus.c daemon/bus.h \
	daemon/closer.c daemon/closer.h
daemon_bstreamd_CFLAGS = $(AM_CFLAGS) -pthread
daemon_bstreamd_LDADD = proto/libbsproto.la
