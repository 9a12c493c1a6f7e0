# SPDX-License-Identifier: MIT
# Manual pages: written in scdoc, built by make, and shipped built in the tarball. The pages of
# section 3 are by topic; for each other function that one names there is a page that points to it.
man_sources = \
	man/bstream.7.scd \
	man/bstream-examples.7.scd \
	man/bstream-layout.7.scd \
	man/bstream-tutorial.7.scd \
	man/bstream-wire.7.scd \
	man/bstreamctl-json.5.scd \
	man/bstreamctl.1.scd \
	man/bstreamd.8.scd \
	$(man_topics)
man_topics = \
	man/bstream_broker.3.scd \
	man/bstream_create.3.scd \
	man/bstream_deadline.3.scd \
	man/bstream_detach.3.scd \
	man/bstream_mailbox.3.scd \
	man/bstream_pair.3.scd \
	man/bstream_pollfd.3.scd \
	man/bstream_read.3.scd \
	man/bstream_version.3.scd \
	man/bstream_view.3.scd \
	man/bstream_write.3.scd
man_pages = $(man_sources:.scd=)
man_links = \
	man/bstream_after_ms.3 \
	man/bstream_broker_metrics.3 man/bstream_broker_place.3 man/bstream_broker_rules.3 \
	man/bstream_broker_start.3 \
	man/bstream_broker_stat.3 \
	man/bstream_broker_stop.3 \
	man/bstream_broker_use.3 \
	man/bstream_cancel.3 \
	man/bstream_commit.3 \
	man/bstream_commit_many.3 \
	man/bstream_commit_reserve.3 \
	man/bstream_connect.3 \
	man/bstream_drain.3 \
	man/bstream_eof.3 \
	man/bstream_layout_version.3 \
	man/bstream_list.3 \
	man/bstream_mailbox_close.3 \
	man/bstream_mailbox_open.3 \
	man/bstream_mailbox_open_with.3 \
	man/bstream_mailbox_pollfd.3 \
	man/bstream_mailbox_recv.3 \
	man/bstream_open_reader.3 \
	man/bstream_open_writer.3 \
	man/bstream_peek.3 \
	man/bstream_peek_many.3 \
	man/bstream_reader_attach.3 \
	man/bstream_reader_close.3 \
	man/bstream_reader_describe.3 \
	man/bstream_reader_detach.3 \
	man/bstream_reader_recv.3 \
	man/bstream_reader_send.3 \
	man/bstream_reader_park.3 \
	man/bstream_reader_pollfd.3 \
	man/bstream_reader_stat.3 \
	man/bstream_release.3 \
	man/bstream_release_many.3 \
	man/bstream_remove.3 \
	man/bstream_reserve.3 \
	man/bstream_reserve_many.3 \
	man/bstream_send.3 \
	man/bstream_stat.3 \
	man/bstream_view_close.3 \
	man/bstream_view_ends.3 \
	man/bstream_view_open.3 \
	man/bstream_view_stat.3 \
	man/bstream_wait.3 \
	man/bstream_wire_version.3 \
	man/bstream_writer_attach.3 \
	man/bstream_writer_clone.3 \
	man/bstream_writer_close.3 \
	man/bstream_writer_describe.3 \
	man/bstream_writer_detach.3 \
	man/bstream_writer_pollfd.3 \
	man/bstream_writer_recv.3 \
	man/bstream_writer_send.3 \
	man/bstream_writer_stat.3 \
	man/bstream_write_many.3 \
	man/bstream_writev.3

EXTRA_DIST += man/paragraphs.awk $(man_sources) $(man_pages) $(man_links)
MAINTAINERCLEANFILES += $(man_pages) $(man_links)

if HAVE_SCDOC
man_MANS += $(man_pages) $(man_links)

# What scdoc wrote becomes the page.
man_page = $(AWK) -f $(srcdir)/man/paragraphs.awk $@.scdoc >$@.tmp && rm $@.scdoc && mv $@.tmp $@
$(man_pages): man/paragraphs.awk

SUFFIXES = .scd
.scd:
	$(AM_V_GEN)$(MKDIR_P) man && $(SCDOC) <$< >$@.scdoc && $(man_page)

# Whole programs, as they are.
examples_shown = \
	examples/crash-aware-reader.c \
	examples/epoll.c \
	examples/hand-over.c \
	examples/inherited-ends.c \
	examples/libevent.c \
	examples/libuv.c \
	examples/lines.c \
	examples/reader.c \
	examples/worker-pool.c \
	examples/writer.c \
	examples/zero-copy.c
man/bstream-examples.7: man/bstream-examples.7.scd $(examples_shown)
	$(AM_V_GEN)$(MKDIR_P) man && $(AWK) -v dir=$(srcdir)/examples/ '\
		$$1 != "@example" { print; next } \
		{ print "```"; while ((getline line < (dir $$2)) > 0) { gsub(/\\/, "&&", line); print line } print "```" }' \
		$(srcdir)/man/bstream-examples.7.scd | $(SCDOC) >$@.scdoc && $(man_page)

# The page to point to is the one whose NAME has this one's.
$(man_links): $(man_topics)
	$(AM_V_GEN)$(MKDIR_P) man; name=$(@F:.3=); \
	topic=`cd $(srcdir) && grep -lE "(^|, )$$name(,| - )" $(man_topics)` && \
	topic=`basename $$topic .scd` && echo ".so man3/$$topic" >$@.tmp && mv $@.tmp $@
else
# What the tarball brought is installed; a checkout has no pages then.
shipped = $(wildcard $(srcdir)/man/*.$(1))
shippedman1dir = $(mandir)/man1
shippedman1_DATA = $(call shipped,1)
shippedman3dir = $(mandir)/man3
shippedman3_DATA = $(call shipped,3)
shippedman5dir = $(mandir)/man5
shippedman5_DATA = $(call shipped,5)
shippedman7dir = $(mandir)/man7
shippedman7_DATA = $(call shipped,7)
shippedman8dir = $(mandir)/man8
shippedman8_DATA = $(call shipped,8)

all-local:
	@test -e $(srcdir)/man/bstream.7 || \
	echo "The manual pages are skipped: scdoc was not found when configure ran."

$(man_pages) $(man_links):
	@echo "$@ cannot be made: scdoc was not found when configure ran." >&2; exit 1
endif
