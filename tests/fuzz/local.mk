# SPDX-License-Identifier: MIT
# Fuzz targets. Everybody replays the corpora in make check; where the tree is configured with
# --enable-sanitize=address,undefined,fuzzer-no-link and clang, the same programs are libFuzzer's, for
# tests/fuzz/hunt.sh.
fuzz_targets = tests/fuzz/reply tests/fuzz/segment tests/fuzz/text tests/fuzz/wire
check_PROGRAMS += $(fuzz_targets)
dist_check_SCRIPTS += tests/fuzz/replay.sh tests/fuzz/hunt.sh
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/replay.c
if FUZZER
fuzz_main =
fuzz_ldflags = -static $(AM_LDFLAGS) -fsanitize=fuzzer -pthread
else
TESTS += tests/fuzz/replay.sh
fuzz_main = tests/fuzz/replay.c
fuzz_ldflags = -static $(AM_LDFLAGS) -pthread
endif
fuzz_cflags = $(AM_CFLAGS) -pthread
fuzz_libs = lib/libbstream.la proto/libbsproto.la

tests_fuzz_reply_SOURCES = tests/fuzz/reply.c tests/fuzz/input.h $(fuzz_main)
tests_fuzz_reply_CFLAGS = $(fuzz_cflags)
tests_fuzz_reply_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_reply_LDADD = $(fuzz_libs)
tests_fuzz_segment_SOURCES = tests/fuzz/segment.c tests/fuzz/input.h $(fuzz_main)
tests_fuzz_segment_CFLAGS = $(fuzz_cflags)
tests_fuzz_segment_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_segment_LDADD = $(fuzz_libs)
# options.c by itself: a shared library does not show its inside.
tests_fuzz_text_SOURCES = tests/fuzz/text.c tests/fuzz/input.h $(fuzz_main) \
	cli/creation.c cli/framing.c cli/options.c cli/outcome.c cli/refused.c cli/say.c cli/units.c \
	cli/who.c lib/options.c
tests_fuzz_text_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/cli
tests_fuzz_text_CFLAGS = $(fuzz_cflags)
tests_fuzz_text_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_text_LDADD = $(fuzz_libs)
tests_fuzz_wire_SOURCES = tests/fuzz/wire.c tests/fuzz/input.h $(fuzz_main) $(broker_objects)
tests_fuzz_wire_CFLAGS = $(fuzz_cflags)
tests_fuzz_wire_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_wire_LDADD = proto/libbsproto.la
