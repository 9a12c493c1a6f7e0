# SPDX-License-Identifier: MIT
# `make bench` builds bench/bstream-bench, and `make check` does, to see that it measures.
if SANITIZE
EXTRA_PROGRAMS += bench/bstream-bench
else
check_PROGRAMS += bench/bstream-bench
check_LTLIBRARIES += tests/bench/liar.la
TESTS += tests/bench/run.sh
endif
tests_bench_liar_la_SOURCES = tests/bench/liar.c
tests_bench_liar_la_LDFLAGS = -module -avoid-version -rpath /nowhere
tests_bench_liar_la_LIBADD = -ldl
EXTRA_LTLIBRARIES = bench/libboostqueue.la
EXTRA_DIST += bench/plot
CLEANFILES += bench/bstream-bench bench/libboostqueue.la

bench_bstream_bench_SOURCES = \
	bench/main.c bench/options.c bench/options.h \
	bench/suite.c bench/suite.h bench/programs.c bench/programs.h \
	bench/case_oneway.c bench/case_roundtrip.c bench/case_idle.c bench/case_writers.c \
	bench/case_crowded.c bench/case_bursts.c bench/case_shell.c bench/case_broker.c \
	bench/crowd.c bench/crowd.h \
	bench/round.c bench/round.h bench/party.c bench/party.h bench/seat.c bench/seat.h \
	bench/loops.h bench/chunk.c bench/chunk.h bench/histogram.c bench/histogram.h \
	bench/clock.h bench/mapping.h bench/load.c bench/load.h bench/idle.c bench/idle.h \
	bench/result.c bench/result.h bench/targets.c bench/targets.h \
	bench/report.h bench/report_table.c bench/report_file.c \
	bench/transport.h bench/transports.c bench/transport_bstream.c \
	bench/framing.c bench/framing.h bench/transport_pipe.c bench/transport_unix.c \
	bench/transport_mq.c bench/transport_semring.c bench/transport_spinring.c \
	bench/transport_memcpy.c bench/transport_line.c bench/transport_timer.c
bench_bstream_bench_LDADD = lib/libbstream.la $(BENCH_RT_LIBS) -lm

# Whatever CFLAGS the tree is built with, a debug build's figures mean nothing: say -O2 yourself.
if BENCH_ZMQ
bench_bstream_bench_SOURCES += bench/transport_zmq.c
bench_bstream_bench_LDADD += $(ZMQ_LIBS)
endif
if BENCH_NNG
bench_bstream_bench_SOURCES += bench/transport_nng.c
bench_bstream_bench_LDADD += $(NNG_LIBS)
endif
if BENCH_QB
bench_bstream_bench_SOURCES += bench/transport_qb_ring.c bench/transport_qb_ipc.c
bench_bstream_bench_LDADD += $(QB_LIBS)
endif
# A library of its own: otherwise the C++ compiler would have to be there to link without it.
bench_libboostqueue_la_SOURCES = bench/boost_queue.cc bench/boost_queue.h
if BENCH_BOOST
bench_bstream_bench_SOURCES += bench/transport_boost.c
bench_bstream_bench_LDADD += bench/libboostqueue.la -lstdc++
endif

.PHONY: bench
bench: bench/bstream-bench$(EXEEXT)
