# SPDX-License-Identifier: MIT
# check_<module>.c holds the tests of that module. One program a module; each test in a process and
# a runtime directory of its own (guard.h), so that they run side by side. One test of one program:
#   CK_RUN_CASE=an_empty_chunk_is_a_chunk tests/check_writer
AM_TESTS_ENVIRONMENT = \
	top_builddir='$(abs_top_builddir)'; export top_builddir; \
	BSTREAM_DAEMON='$(abs_top_builddir)/daemon/bstreamd'; export BSTREAM_DAEMON; \
	BSTREAMCTL='$(abs_top_builddir)/cli/bstreamctl'; export BSTREAMCTL; \
	BSTREAM_LIBRARY='$(abs_top_builddir)/lib/.libs/libbstream.so.0'; export BSTREAM_LIBRARY; \
	TSAN_OPTIONS="halt_on_error=1 $$TSAN_OPTIONS"; export TSAN_OPTIONS; \
	UBSAN_OPTIONS="print_stacktrace=1 $$UBSAN_OPTIONS"; export UBSAN_OPTIONS;

check_PROGRAMS += tests/print_contracts
tests_print_contracts_SOURCES = tests/print_contracts.c
dist_check_SCRIPTS += tests/golden/contracts.sh
TESTS += tests/golden/contracts.sh
EXTRA_DIST += tests/golden/layout.txt tests/golden/wire.txt \
	tests/golden/segment-1.bin tests/golden/wire-1.bin tests/golden/wire-2.bin \
	tests/golden/second.py
# It is about what the pages say: once is enough.
if HAVE_PYTHON
if !SANITIZE
TESTS += tests/golden/second.py
endif
endif

c_tests = \
	tests/check_end \
	tests/check_fork \
	tests/check_geometry \
	tests/check_hint \
	tests/check_items \
	tests/check_mailbox \
	tests/check_name \
	tests/check_options \
	tests/check_pair \
	tests/check_place \
	tests/check_reader \
	tests/check_reserve \
	tests/check_room \
	tests/check_segment \
	tests/check_spin \
	tests/check_stat \
	tests/check_travel \
	tests/check_move \
	tests/check_verdict \
	tests/check_view \
	tests/check_wait \
	tests/check_writer

# It has system calls of the library fail, which it cannot if that is a shared one.
if ENABLE_STATIC
c_tests += tests/check_pollfd
endif

if HAVE_CHECK
check_LTLIBRARIES += tests/libguard.la
check_PROGRAMS += $(c_tests)
TESTS += $(c_tests)
endif
tests_libguard_la_SOURCES = tests/guard.c tests/guard.h
tests_libguard_la_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)

# What every C test is linked with: whole, so that it sees the inside of both libraries.
guard_cflags = $(AM_CFLAGS) $(CHECK_CFLAGS) -pthread
guard_ldflags = -static $(AM_LDFLAGS) -pthread
guard_libs = tests/libguard.la lib/libbstream.la proto/libbsproto.la $(CHECK_LIBS)

tests_check_end_SOURCES = tests/check_end.c
tests_check_end_CFLAGS = $(guard_cflags)
tests_check_end_LDFLAGS = $(guard_ldflags)
tests_check_end_LDADD = $(guard_libs)
tests_check_fork_SOURCES = tests/check_fork.c
tests_check_fork_CFLAGS = $(guard_cflags)
tests_check_fork_LDFLAGS = $(guard_ldflags)
tests_check_fork_LDADD = $(guard_libs)
tests_check_geometry_SOURCES = tests/check_geometry.c
tests_check_geometry_CFLAGS = $(guard_cflags)
tests_check_geometry_LDFLAGS = $(guard_ldflags)
tests_check_geometry_LDADD = $(guard_libs)
tests_check_hint_SOURCES = tests/check_hint.c
tests_check_hint_CFLAGS = $(guard_cflags)
tests_check_hint_LDFLAGS = $(guard_ldflags)
tests_check_hint_LDADD = $(guard_libs)
tests_check_items_SOURCES = tests/check_items.c
tests_check_items_CFLAGS = $(guard_cflags)
tests_check_items_LDFLAGS = $(guard_ldflags)
tests_check_items_LDADD = $(guard_libs)
tests_check_mailbox_SOURCES = tests/check_mailbox.c tests/broker/raw.c tests/broker/raw.h
tests_check_mailbox_CFLAGS = $(guard_cflags)
tests_check_mailbox_LDFLAGS = $(guard_ldflags) -Wl,--wrap=clock_gettime,--wrap=ppoll
tests_check_mailbox_LDADD = $(guard_libs)
tests_check_name_SOURCES = tests/check_name.c
tests_check_name_CFLAGS = $(guard_cflags)
tests_check_name_LDFLAGS = $(guard_ldflags)
tests_check_name_LDADD = $(guard_libs)
tests_check_options_SOURCES = tests/check_options.c
tests_check_options_CFLAGS = $(guard_cflags)
tests_check_options_LDFLAGS = $(guard_ldflags)
tests_check_options_LDADD = $(guard_libs)
tests_check_pair_SOURCES = tests/check_pair.c
tests_check_pair_CFLAGS = $(guard_cflags)
tests_check_pair_LDFLAGS = $(guard_ldflags)
tests_check_pair_LDADD = $(guard_libs)
tests_check_place_SOURCES = tests/check_place.c
tests_check_place_CFLAGS = $(guard_cflags)
tests_check_place_LDFLAGS = $(guard_ldflags)
tests_check_place_LDADD = $(guard_libs)
tests_check_pollfd_SOURCES = tests/check_pollfd.c
tests_check_pollfd_CFLAGS = $(guard_cflags)
tests_check_pollfd_LDFLAGS = $(guard_ldflags) -Wl,--wrap=inotify_init1,--wrap=inotify_add_watch,--wrap=timerfd_settime
tests_check_pollfd_LDADD = $(guard_libs)
tests_check_reader_SOURCES = tests/check_reader.c
tests_check_reader_CFLAGS = $(guard_cflags)
tests_check_reader_LDFLAGS = $(guard_ldflags)
tests_check_reader_LDADD = $(guard_libs)

tests_check_reserve_SOURCES = tests/check_reserve.c
tests_check_reserve_CFLAGS = $(guard_cflags)
tests_check_reserve_LDFLAGS = $(guard_ldflags)
tests_check_reserve_LDADD = $(guard_libs)
tests_check_room_SOURCES = tests/check_room.c
tests_check_room_CFLAGS = $(guard_cflags)
tests_check_room_LDFLAGS = $(guard_ldflags)
tests_check_room_LDADD = $(guard_libs)
tests_check_segment_SOURCES = tests/check_segment.c
tests_check_segment_CFLAGS = $(guard_cflags)
tests_check_segment_LDFLAGS = $(guard_ldflags)
tests_check_segment_LDADD = $(guard_libs)
tests_check_spin_SOURCES = tests/check_spin.c
tests_check_spin_CFLAGS = $(guard_cflags)
tests_check_spin_LDFLAGS = $(guard_ldflags) -Wl,--wrap=clock_gettime
tests_check_spin_LDADD = $(guard_libs)
tests_check_stat_SOURCES = tests/check_stat.c
tests_check_stat_CFLAGS = $(guard_cflags)
tests_check_stat_LDFLAGS = $(guard_ldflags)
tests_check_stat_LDADD = $(guard_libs)
tests_check_move_SOURCES = tests/check_move.c tests/broker/raw.c tests/broker/raw.h
tests_check_move_CFLAGS = $(guard_cflags)
tests_check_move_LDFLAGS = $(guard_ldflags) -Wl,--wrap=recv,--wrap=recvmsg
tests_check_move_LDADD = $(guard_libs)
tests_check_travel_SOURCES = tests/check_travel.c
tests_check_travel_CFLAGS = $(guard_cflags)
tests_check_travel_LDFLAGS = $(guard_ldflags)
tests_check_travel_LDADD = $(guard_libs)
tests_check_verdict_SOURCES = tests/check_verdict.c
tests_check_verdict_CFLAGS = $(guard_cflags)
tests_check_verdict_LDFLAGS = $(guard_ldflags)
tests_check_verdict_LDADD = $(guard_libs)
tests_check_view_SOURCES = tests/check_view.c
tests_check_view_CFLAGS = $(guard_cflags)
tests_check_view_LDFLAGS = $(guard_ldflags)
tests_check_view_LDADD = $(guard_libs)
tests_check_wait_SOURCES = tests/check_wait.c
tests_check_wait_CFLAGS = $(guard_cflags)
tests_check_wait_LDFLAGS = $(guard_ldflags)
tests_check_wait_LDADD = $(guard_libs)
tests_check_writer_SOURCES = tests/check_writer.c
tests_check_writer_CFLAGS = $(guard_cflags)
tests_check_writer_LDFLAGS = $(guard_ldflags)
tests_check_writer_LDADD = $(guard_libs)

# Once more with sealed streams.
dist_check_SCRIPTS += tests/sealed.sh
TESTS += tests/sealed.sh

# stress/: long runs over few cells. BSTREAM_STRESS=10 makes them ten times as long.
# soak: random everything, an hour and 100,000 kills with BSTREAM_LONG.
stress_tests = tests/stress/deaths tests/stress/kills tests/stress/matrix tests/stress/mixes
if HAVE_CHECK
check_PROGRAMS += $(stress_tests)
TESTS += $(stress_tests)
endif
check_PROGRAMS += tests/stress/soak
TESTS += tests/stress/soak
tests_stress_soak_SOURCES = tests/stress/soak.c
tests_stress_soak_LDADD = lib/libbstream.la
tests_stress_deaths_SOURCES = tests/stress/deaths.c
tests_stress_deaths_CFLAGS = $(guard_cflags)
tests_stress_deaths_LDFLAGS = $(guard_ldflags)
tests_stress_deaths_LDADD = $(guard_libs)
tests_stress_kills_SOURCES = tests/stress/kills.c tests/stress/pump.c tests/stress/pump.h
tests_stress_kills_CFLAGS = $(guard_cflags)
tests_stress_kills_LDFLAGS = $(guard_ldflags)
tests_stress_kills_LDADD = $(guard_libs)
tests_stress_matrix_SOURCES = tests/stress/matrix.c tests/stress/pump.c tests/stress/pump.h
tests_stress_matrix_CFLAGS = $(guard_cflags)
tests_stress_matrix_LDFLAGS = $(guard_ldflags)
tests_stress_matrix_LDADD = $(guard_libs)
tests_stress_mixes_SOURCES = tests/stress/mixes.c tests/stress/pump.c tests/stress/pump.h
tests_stress_mixes_CFLAGS = $(guard_cflags)
tests_stress_mixes_LDFLAGS = $(guard_ldflags)
tests_stress_mixes_LDADD = $(guard_libs)

dist_check_SCRIPTS += tests/bench/run.sh
include tests/lint/local.mk
include tests/examples/local.mk
include tests/cli/local.mk
include tests/python/local.mk
include tests/install/local.mk
include tests/broker/local.mk
include tests/crash/local.mk
include tests/model/local.mk
include tests/hotpath/local.mk
include tests/fuzz/local.mk
include tests/hostile/local.mk
include tests/scarce/local.mk
include tests/machines/local.mk
