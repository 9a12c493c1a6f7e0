# SPDX-License-Identifier: MIT
# Kills a process at every instruction of each operation. Single steps through a sanitizer's
# instrumentation would take hours, and find the same.
EXTRA_DIST += tests/crash/stage.h
crash_stage = tests/crash/kill.c tests/crash/stage.c tests/crash/stage.h
if !SANITIZE
crash_tests = tests/crash/kill tests/crash/travel
check_PROGRAMS += $(crash_tests)
tests_crash_kill_SOURCES = tests/crash/scenes.c $(crash_stage)
tests_crash_kill_LDADD = lib/libbstream.la
tests_crash_kill_LDFLAGS = -static $(AM_LDFLAGS)
tests_crash_travel_SOURCES = tests/crash/travel.c $(crash_stage)
tests_crash_travel_LDADD = lib/libbstream.la
tests_crash_travel_LDFLAGS = -static $(AM_LDFLAGS)
TESTS += $(crash_tests)
endif
