# SPDX-License-Identifier: MIT
# Kills a process at every instruction of each operation. Single steps through a sanitizer's
# instrumentation would take hours, and find the same.
EXTRA_DIST += tests/crash/stage.h tests/crash/trace.h
crash_trace = tests/crash/trace.c tests/crash/trace.h
crash_stage = tests/crash/kill.c tests/crash/stage.c tests/crash/stage.h $(crash_trace)
if !SANITIZE
# They call what only the archive shows, and wrap what only the archive leaves open.
if ENABLE_STATIC
crash_tests = tests/crash/kill tests/crash/travel tests/crash/mail
check_PROGRAMS += $(crash_tests)
TESTS += $(crash_tests)
endif
tests_crash_kill_SOURCES = tests/crash/scenes.c $(crash_stage)
tests_crash_kill_LDADD = lib/libbstream.la
tests_crash_kill_LDFLAGS = -static $(AM_LDFLAGS) -Wl,--wrap=timerfd_settime \
	-Wl,--wrap=clock_gettime,--wrap=sem_clockwait,--wrap=syscall
tests_crash_travel_SOURCES = tests/crash/travel.c $(crash_stage)
tests_crash_travel_LDADD = lib/libbstream.la
tests_crash_travel_LDFLAGS = -static $(AM_LDFLAGS)
tests_crash_mail_SOURCES = tests/crash/mail.c $(crash_stage)
tests_crash_mail_LDADD = lib/libbstream.la
tests_crash_mail_LDFLAGS = -static $(AM_LDFLAGS)
if HAVE_CHECK
check_PROGRAMS += tests/crash/check_moments
TESTS += tests/crash/check_moments
endif
tests_crash_check_moments_SOURCES = tests/crash/check_moments.c $(crash_trace)
tests_crash_check_moments_CFLAGS = $(guard_cflags)
tests_crash_check_moments_LDFLAGS = $(guard_ldflags)
tests_crash_check_moments_LDADD = $(guard_libs)
endif
