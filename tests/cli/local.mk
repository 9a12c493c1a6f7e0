# SPDX-License-Identifier: MIT
# The shell tests. Each file runs alone too, in the build tree: bats ../tests/cli/verbs.bats
cli_tests = \
	tests/cli/bench.bats \
	tests/cli/captures.bats \
	tests/cli/completion.bats \
	tests/cli/cookbook.bats \
	tests/cli/containers.bats \
	tests/cli/doctor.bats \
	tests/cli/endings.bats \
	tests/cli/exec.bats \
	tests/cli/framing.bats \
	tests/cli/keep.bats \
	tests/cli/mail.bats \
	tests/cli/metrics.bats \
	tests/cli/json.bats \
	tests/cli/progress.bats \
	tests/cli/rights.bats \
	tests/cli/start.bats \
	tests/cli/tee.bats \
	tests/cli/stuck.bats \
	tests/cli/top.bats \
	tests/cli/tree.bats \
	tests/cli/tutorial.bats \
	tests/cli/verbs.bats
EXTRA_DIST += $(cli_tests) tests/cli/setup.bash

if HAVE_BATS
TESTS += $(cli_tests)
endif
TEST_EXTENSIONS = .bats
BATS_LOG_COMPILER = $(BATS)
AM_BATS_LOG_FLAGS = --tap

check_PROGRAMS += tests/cli/without_membarrier
tests_cli_without_membarrier_SOURCES = tests/cli/without_membarrier.c
