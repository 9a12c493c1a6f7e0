# SPDX-License-Identifier: MIT
# What happens where something runs out: every system call fails in turn.
scarce_calls = accept4 aligned_alloc bind calloc clone connect dup3 epoll_create1 epoll_ctl \
	epoll_wait eventfd fallocate fchmod fchown fcntl fdopen fdopendir flock fork fstat fstatat fstatfs getrandom \
	getsockopt inotify_add_watch inotify_init1 linkat listen lstat madvise malloc memfd_create mkdir \
	mmap nanosleep open open_memstream openat pidfd_open pipe2 poll posix_fallocate posix_spawnp \
	ppoll pread preadv2 pthread_atfork pthread_create pwrite read readlink realloc realpath reallocarray \
	recv recvmsg rename renameat2 sem_clockwait sem_init send sendmsg shm_open signalfd socket \
	socketpair stat statx strdup syscall timerfd_create write writev
scarce_wrap = $(addprefix -Wl$(comma)--wrap=,$(scarce_calls))
comma = ,
scarce_tests = tests/scarce/check_storm
# ThreadSanitizer is linked statically: its own start would go through the wrapped calls, too early. And
# the calls of a shared library are not wrapped.
if ENABLE_STATIC
if !SANITIZE_THREAD
scarce_tests += tests/scarce/check_faults
endif
endif
if HAVE_CHECK
check_PROGRAMS += $(scarce_tests)
TESTS += $(scarce_tests)
endif
tests_scarce_check_storm_SOURCES = tests/scarce/check_storm.c
tests_scarce_check_storm_CFLAGS = $(guard_cflags)
tests_scarce_check_storm_LDFLAGS = $(guard_ldflags) -Wl,--wrap=clock_gettime
tests_scarce_check_storm_LDADD = $(guard_libs)

dist_check_SCRIPTS += tests/scarce/places.sh tests/scarce/programs.sh tests/scarce/wrapped.sh
TESTS += tests/scarce/places.sh tests/scarce/wrapped.sh

# The broker and the tool, for programs.sh.
if ENABLE_STATIC
if !SANITIZE_THREAD
check_PROGRAMS += tests/scarce/bstreamctl tests/scarce/bstreamd
TESTS += tests/scarce/programs.sh
endif
endif
EXTRA_DIST += tests/scarce/faults.h
tests_scarce_bstreamd_SOURCES = tests/scarce/faults.c $(daemon_bstreamd_SOURCES)
tests_scarce_bstreamd_CFLAGS = $(AM_CFLAGS) $(INIH_CFLAGS) -pthread
tests_scarce_bstreamd_LDFLAGS = -static $(AM_LDFLAGS) $(scarce_wrap)
tests_scarce_bstreamd_LDADD = proto/libbsproto.la $(INIH_LIBS)
tests_scarce_bstreamctl_SOURCES = tests/scarce/faults.c $(cli_bstreamctl_SOURCES)
tests_scarce_bstreamctl_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/cli
tests_scarce_bstreamctl_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(NCURSESW_CFLAGS) -pthread
tests_scarce_bstreamctl_LDFLAGS = -static $(AM_LDFLAGS) -pthread $(scarce_wrap)
tests_scarce_bstreamctl_LDADD = lib/libbstream.la $(JANSSON_LIBS) $(NCURSESW_LIBS)
tests_scarce_check_faults_SOURCES = tests/scarce/check_faults.c tests/scarce/faults.c $(broker_raw)
tests_scarce_check_faults_CFLAGS = $(guard_cflags)
tests_scarce_check_faults_LDFLAGS = $(guard_ldflags) $(scarce_wrap)
tests_scarce_check_faults_LDADD = $(guard_libs)
