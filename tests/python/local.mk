# SPDX-License-Identifier: MIT
# The tests of the Python module, by Python's own unittest, with peers written in C. One case alone:
#   make check TESTS=tests/python/test_ends.py TESTCASE=Writing.test_an_empty_chunk_is_a_chunk
python_tests = \
	tests/python/speed.py \
	tests/python/test_aio.py \
	tests/python/test_batches.py \
	tests/python/test_doc.py \
	tests/python/test_ends.py \
	tests/python/test_library.py \
	tests/python/test_mailbox.py \
	tests/python/test_memory.py \
	tests/python/test_names.py \
	tests/python/test_peers.py \
	tests/python/test_process.py \
	tests/python/test_span_batches.py \
	tests/python/test_span_company.py \
	tests/python/test_spans.py \
	tests/python/test_typing.py
EXTRA_DIST += $(python_tests) tests/python/guard.py

# A sanitizer's library wants to be loaded before the interpreter; the same code is tested from C.
if HAVE_PYTHON
if !SANITIZE
check_PROGRAMS += tests/python/peer
TESTS += $(python_tests)
endif
endif
tests_python_peer_SOURCES = tests/python/peer.c
tests_python_peer_LDADD = lib/libbstream.la
tests_python_peer_LDFLAGS = -static $(AM_LDFLAGS)

TEST_EXTENSIONS += .py
PY_LOG_COMPILER = $(PYTHON) -B
