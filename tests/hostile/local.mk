# SPDX-License-Identifier: MIT
# Peers that lie: with the memory that they share, and with what they send.
hostile_tests = tests/hostile/check_broker tests/hostile/check_liars tests/hostile/check_scribble
if HAVE_CHECK
check_PROGRAMS += $(hostile_tests)
TESTS += $(hostile_tests)
endif
tests_hostile_check_broker_SOURCES = tests/hostile/check_broker.c tests/hostile/peer.c \
	tests/hostile/peer.h $(broker_raw)
tests_hostile_check_broker_CFLAGS = $(guard_cflags)
tests_hostile_check_broker_LDFLAGS = $(guard_ldflags)
tests_hostile_check_broker_LDADD = $(guard_libs)
tests_hostile_check_liars_SOURCES = tests/hostile/check_liars.c
tests_hostile_check_liars_CFLAGS = $(guard_cflags)
tests_hostile_check_liars_LDFLAGS = $(guard_ldflags)
tests_hostile_check_liars_LDADD = $(guard_libs)
tests_hostile_check_scribble_SOURCES = tests/hostile/check_scribble.c tests/hostile/peer.c \
	tests/hostile/peer.h
tests_hostile_check_scribble_CFLAGS = $(guard_cflags)
tests_hostile_check_scribble_LDFLAGS = $(guard_ldflags)
tests_hostile_check_scribble_LDADD = $(guard_libs)
