# SPDX-License-Identifier: MIT
lib_LTLIBRARIES += lib/libbstream.la
include_HEADERS += lib/bstream.h
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = lib/bstream.pc
EXTRA_DIST += lib/libbstream.map

lib_libbstream_la_SOURCES = \
	lib/bstream.h lib/handle.h \
	lib/claim.c lib/claim.h lib/reserve.c lib/writer.c lib/room.c \
	lib/reader.c lib/items.c \
	lib/pollfd.c lib/pollfd.h \
	lib/spin.c lib/spin.h \
	lib/fork.c lib/fork.h \
	lib/open.c lib/open.h \
	lib/travel.c lib/travel.h \
	lib/mailbox.c lib/send.c \
	lib/pair.c lib/refusal.c lib/refusal.h lib/rules.c lib/options.c lib/options.h \
	lib/name.c lib/wait.c lib/view.c \
	lib/stat.c lib/stat.h \
	lib/broker.c lib/broker.h lib/choice.c lib/choice.h lib/start.c lib/start.h lib/link.c lib/link.h \
	lib/version.c
lib_libbstream_la_CPPFLAGS = $(AM_CPPFLAGS) -DBSTREAMD_PATH=\"$(bindir)/bstreamd\"
lib_libbstream_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden
lib_libbstream_la_LIBADD = proto/libbsproto.la
lib_libbstream_la_LDFLAGS = $(AM_LDFLAGS) -version-info $(BSTREAM_LTVERSION) -no-undefined \
	-Wl,--version-script=$(srcdir)/lib/libbstream.map
EXTRA_lib_libbstream_la_DEPENDENCIES = lib/libbstream.map
# bindir is in it, and the library's own directory in what is linked from it: both follow another --prefix.
$(lib_libbstream_la_OBJECTS): Makefile
