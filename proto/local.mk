# SPDX-License-Identifier: MIT
noinst_LTLIBRARIES += proto/libbsproto.la
proto_libbsproto_la_SOURCES = \
	proto/atomic.h proto/layout.h proto/wire.h \
	proto/geometry.c proto/geometry.h \
	proto/segment.c proto/segment.h \
	proto/end.c proto/end.h \
	proto/verdict.c proto/verdict.h \
	proto/place.c \
	proto/sight.c \
	proto/wake.c \
	proto/hint.c proto/hint.h \
	proto/packet.c proto/packet.h \
	proto/meeting.c proto/meeting.h
proto_libbsproto_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden
