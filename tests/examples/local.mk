# SPDX-License-Identifier: MIT
# The examples are compiled and run like any other test, so that none of them goes stale.
check_PROGRAMS += \
	examples/crash-aware-reader \
	examples/epoll \
	examples/hand-over \
	examples/inherited-ends \
	examples/lines \
	examples/reader \
	examples/worker-pool \
	examples/writer \
	examples/zero-copy
examples_crash_aware_reader_SOURCES = examples/crash-aware-reader.c
examples_crash_aware_reader_LDADD = lib/libbstream.la
examples_epoll_SOURCES = examples/epoll.c
examples_epoll_LDADD = lib/libbstream.la
examples_hand_over_SOURCES = examples/hand-over.c
examples_hand_over_LDADD = lib/libbstream.la
examples_inherited_ends_SOURCES = examples/inherited-ends.c
examples_inherited_ends_LDADD = lib/libbstream.la
examples_lines_SOURCES = examples/lines.c
examples_lines_LDADD = lib/libbstream.la
examples_reader_SOURCES = examples/reader.c
examples_reader_LDADD = lib/libbstream.la
examples_worker_pool_SOURCES = examples/worker-pool.c
examples_worker_pool_LDADD = lib/libbstream.la
examples_writer_SOURCES = examples/writer.c
examples_writer_LDADD = lib/libbstream.la
examples_zero_copy_SOURCES = examples/zero-copy.c
examples_zero_copy_LDADD = lib/libbstream.la

if HAVE_UV
check_PROGRAMS += examples/libuv
endif
examples_libuv_SOURCES = examples/libuv.c
examples_libuv_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
examples_libuv_LDADD = lib/libbstream.la $(UV_LIBS)
if HAVE_EVENT
check_PROGRAMS += examples/libevent
endif
examples_libevent_SOURCES = examples/libevent.c
examples_libevent_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
examples_libevent_LDADD = lib/libbstream.la $(EVENT_LIBS)

dist_check_SCRIPTS += tests/examples/run.sh
TESTS += tests/examples/run.sh
