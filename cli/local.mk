# SPDX-License-Identifier: MIT
# bstreamctl. It knows bstream.h and libc, never proto/.
bin_PROGRAMS += cli/bstreamctl

cli_bstreamctl_SOURCES = \
	cli/command.c cli/command.h \
	cli/checkup.c cli/checkup.h cli/checkup_shm.c \
	cli/color.c cli/color.h \
	cli/columns.c cli/columns.h \
	cli/creation.c cli/creation.h \
	cli/fanout.c cli/fanout.h \
	cli/feed.c cli/feed.h \
	cli/framing.c cli/framing.h \
	cli/intake.c cli/intake.h \
	cli/json_line.c cli/json_line.h \
	cli/lane.c cli/lane.h cli/lane_bstream.c cli/lane_pipe.c \
	cli/letter.c cli/letter.h \
	cli/listing.c cli/listing.h \
	cli/main.c \
	cli/name.c cli/name.h \
	cli/options.c cli/options.h \
	cli/outcome.c cli/outcome.h cli/refused.c cli/refused.h \
	cli/outlet.c cli/outlet.h \
	cli/pace.c cli/pace.h \
	cli/pour.c cli/pour.h \
	cli/progress.c cli/progress.h \
	cli/say.c cli/say.h \
	cli/screen.h \
	cli/source.c cli/source.h \
	cli/state.c cli/state.h \
	cli/stuck.c cli/stuck.h \
	cli/table.c cli/table.h \
	cli/trial.c cli/trial.h \
	cli/units.c cli/units.h \
	cli/verb.h cli/verbs.c \
	cli/verb_bench.c \
	cli/verb_completion.c \
	cli/verb_create.c \
	cli/verb_daemon.c \
	cli/verb_doctor.c \
	cli/verb_eof.c \
	cli/verb_exec.c \
	cli/verb_help.c \
	cli/verb_listen.c \
	cli/verb_ls.c \
	cli/verb_metrics.c \
	cli/verb_open.c \
	cli/verb_read.c \
	cli/verb_rm.c \
	cli/verb_send.c \
	cli/verb_stat.c \
	cli/verb_tee.c \
	cli/verb_top.c \
	cli/verb_wait.c \
	cli/verb_write.c \
	cli/watch.c cli/watch.h \
	cli/who.c cli/who.h

if HAVE_NCURSESW
cli_bstreamctl_SOURCES += cli/screen.c cli/screen_rows.c cli/screen_rows.h
else
cli_bstreamctl_SOURCES += cli/screen_none.c
endif

cli_bstreamctl_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/cli
cli_bstreamctl_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(NCURSESW_CFLAGS) -pthread
cli_bstreamctl_LDFLAGS = $(AM_LDFLAGS) -pthread
# Our own library goes in whole: the tool works from the build tree, without a libtool wrapper. Where there
# is none to go in, -static would have libtool write the build tree's path into what is installed.
if ENABLE_STATIC
cli_bstreamctl_LDFLAGS += -static
endif
cli_bstreamctl_LDADD = lib/libbstream.la $(JANSSON_LIBS) $(NCURSESW_LIBS)

# What bash, zsh and fish need to complete, printed by the tool itself from its table of verbs. The
# tarball brings it, for builds that cannot run their own tool: for another machine, or with a
# sanitizer, which may not start everywhere.
completions = \
	cli/completion/bash/bstreamctl \
	cli/completion/fish/bstreamctl.fish \
	cli/completion/zsh/_bstreamctl
EXTRA_DIST += $(completions)

if RUN_OWN_TOOL
bashcompletion_DATA = cli/completion/bash/bstreamctl
fishcompletion_DATA = cli/completion/fish/bstreamctl.fish
zshcompletion_DATA = cli/completion/zsh/_bstreamctl
CLEANFILES += $(completions)

$(completions): cli/bstreamctl$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	cli/bstreamctl$(EXEEXT) completion $(notdir $(@D)) >$@.tmp && mv $@.tmp $@
else
bashcompletion_DATA = $(wildcard $(srcdir)/cli/completion/bash/*)
fishcompletion_DATA = $(wildcard $(srcdir)/cli/completion/fish/*)
zshcompletion_DATA = $(wildcard $(srcdir)/cli/completion/zsh/*)

$(completions):
	@echo "$@ cannot be made: this build does not run its own bstreamctl." >&2; exit 1
endif
