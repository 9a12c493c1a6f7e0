/* SPDX-License-Identifier: MIT */
/*
 * foreign.c - a program of somebody else's, in the language that C and C++ share: uses what is installed,
 * and is told which version that should be.
 */
#include <bstream.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

/* Every call, with the arguments and in the order that programs were promised. */
int (*const call_pair)(const struct bstream_options *, struct bstream_writer **,
		       struct bstream_reader **) = bstream_pair;
int (*const call_create)(const char *name, const struct bstream_options *) = bstream_create;
int (*const call_open_writer)(const char *name, uint64_t deadline,
			      struct bstream_writer **) = bstream_open_writer;
int (*const call_open_reader)(const char *name, uint64_t deadline,
			      struct bstream_reader **) = bstream_open_reader;
int (*const call_remove)(const char *name) = bstream_remove;
int (*const call_eof)(const char *name) = bstream_eof;
int (*const call_wait)(const char *name, uint32_t what, uint64_t deadline) = bstream_wait;
int (*const call_stat)(const char *name, struct bstream_stat *) = bstream_stat;
int (*const call_list)(int (*each)(const struct bstream_stat *, void *arg),
		       void *arg) = bstream_list;
int (*const call_write)(struct bstream_writer *, const void *buf, size_t len,
			uint64_t deadline) = bstream_write;
int (*const call_writev)(struct bstream_writer *, const struct iovec *, int n,
			 uint64_t deadline) = bstream_writev;
int (*const call_reserve)(struct bstream_writer *, size_t len, void **span,
			  uint64_t deadline) = bstream_reserve;
int (*const call_commit)(struct bstream_writer *, size_t len) = bstream_commit;
int (*const call_commit_reserve)(struct bstream_writer *, size_t len,
				 void **span) = bstream_commit_reserve;
int (*const call_reserve_many)(struct bstream_writer *, size_t len, struct iovec *spans, int n,
			       uint64_t deadline) = bstream_reserve_many;
int (*const call_commit_many)(struct bstream_writer *, const struct iovec *chunks,
			      int n) = bstream_commit_many;
void (*const call_cancel)(struct bstream_writer *) = bstream_cancel;
int (*const call_writer_clone)(const struct bstream_writer *,
			       struct bstream_writer **) = bstream_writer_clone;
int (*const call_drain)(struct bstream_writer *, uint64_t deadline) = bstream_drain;
void (*const call_writer_close)(struct bstream_writer *) = bstream_writer_close;
int (*const call_read)(struct bstream_reader *, void *buf, size_t size, size_t *len,
		       uint64_t deadline) = bstream_read;
int (*const call_peek)(struct bstream_reader *, const void **chunk, size_t *len,
		       uint64_t deadline) = bstream_peek;
int (*const call_release)(struct bstream_reader *) = bstream_release;
int (*const call_reader_park)(struct bstream_reader *) = bstream_reader_park;
void (*const call_reader_close)(struct bstream_reader *) = bstream_reader_close;
int (*const call_reader_pollfd)(struct bstream_reader *) = bstream_reader_pollfd;
int (*const call_writer_pollfd)(struct bstream_writer *) = bstream_writer_pollfd;
int (*const call_reader_send)(int socket, struct bstream_reader *) = bstream_reader_send;
int (*const call_reader_recv)(int socket, struct bstream_reader **) = bstream_reader_recv;
int (*const call_writer_send)(int socket, struct bstream_writer *) = bstream_writer_send;
int (*const call_writer_recv)(int socket, struct bstream_writer **) = bstream_writer_recv;
int (*const call_reader_detach)(struct bstream_reader *) = bstream_reader_detach;
int (*const call_reader_attach)(int fd, struct bstream_reader **) = bstream_reader_attach;
int (*const call_writer_detach)(struct bstream_writer *) = bstream_writer_detach;
int (*const call_writer_attach)(int fd, struct bstream_writer **) = bstream_writer_attach;
int (*const call_mailbox_open)(const char *name, struct bstream_mailbox **) = bstream_mailbox_open;
int (*const call_mailbox_recv)(struct bstream_mailbox *, struct bstream_message *,
			       uint64_t deadline) = bstream_mailbox_recv;
int (*const call_mailbox_pollfd)(struct bstream_mailbox *) = bstream_mailbox_pollfd;
void (*const call_mailbox_close)(struct bstream_mailbox *) = bstream_mailbox_close;
int (*const call_send)(const char *mailbox, const void *note, size_t len, struct bstream_reader *,
		       uint64_t deadline) = bstream_send;
int (*const call_connect)(const char *mailbox, const void *note, size_t len,
			  const struct bstream_options *, uint64_t deadline,
			  struct bstream_writer **) = bstream_connect;
int (*const call_broker_use)(const char *socket, uint32_t flags) = bstream_broker_use;
int (*const call_broker_stat)(struct bstream_broker_stat *) = bstream_broker_stat;
int (*const call_broker_stop)(void) = bstream_broker_stop;
int (*const call_view_open)(const char *name, struct bstream_view **) = bstream_view_open;
int (*const call_view_stat)(struct bstream_view *, struct bstream_stat *) = bstream_view_stat;
void (*const call_view_close)(struct bstream_view *) = bstream_view_close;
int (*const call_view_ends)(struct bstream_view *,
			    int (*each)(const struct bstream_end *, void *arg),
			    void *arg) = bstream_view_ends;
int (*const call_writer_stat)(const struct bstream_writer *,
			      struct bstream_stat *) = bstream_writer_stat;
int (*const call_reader_stat)(const struct bstream_reader *,
			      struct bstream_stat *) = bstream_reader_stat;
int (*const call_writer_describe)(const struct bstream_writer *, char *,
				  size_t) = bstream_writer_describe;
int (*const call_reader_describe)(const struct bstream_reader *, char *,
				  size_t) = bstream_reader_describe;
const char *(*const call_version)(void) = bstream_version;
uint64_t (*const call_after_ms)(int64_t ms) = bstream_after_ms;

/* And every member of what they fill in, by its type. */
static void members(const struct bstream_stat *s, const struct bstream_message *m)
{
	const size_t *size = &s->size, *len = &m->len;
	const char *name = s->name;
	const uint32_t *of_32[] = { &s->capacity, &s->chunk_max, &s->max_writers, &s->keep,
				    &s->mode,	  &s->uid,	 &s->gid,	  &s->in_flight,
				    &s->writers,  &s->reader,	 &s->flags };
	const uint64_t *of_64[] = { &s->chunks_written, &s->chunks_read, &s->chunks_abandoned,
				    &s->bytes_written,	&s->bytes_read,	 &s->writer_waits,
				    &s->reader_waits,	&s->created_ns };
	const int32_t *pids[] = { &s->reader_pid, &s->writer_pid };
	const void *const *note = &m->note;
	struct bstream_reader *const *reader = &m->reader;
	const pid_t *pid = &m->pid;
	const uid_t *uid = &m->uid;

	(void)size, (void)len, (void)name, (void)of_32, (void)of_64, (void)pids;
	(void)note, (void)reader, (void)pid, (void)uid;
}

int main(int argc, char **argv)
{
	struct bstream_options options = BSTREAM_OPTIONS_INIT;
	struct bstream_writer *writer = NULL;
	struct bstream_reader *reader = NULL;
	struct bstream_stat stat;
	struct bstream_message message;
	char text[6] = "";
	size_t len = 0;

	memset(&stat, 0, sizeof(stat));
	memset(&message, 0, sizeof(message));
	members(&stat, &message);

	if (argc != 2 || strcmp(argv[1], bstream_version()) != 0) {
		fprintf(stderr, "the library's version is %s\n", bstream_version());
		return 1;
	}
	options.capacity = 2;
	if (bstream_pair(&options, &writer, &reader) != 0)
		return 2;
	if (bstream_write(writer, "bytes", 5, bstream_after_ms(1000)) != 0)
		return 3;
	bstream_writer_close(writer);
	if (bstream_read(reader, text, sizeof(text), &len, BSTREAM_FOREVER) != 1 || len != 5 ||
	    strcmp(text, "bytes") != 0)
		return 4;
	if (bstream_read(reader, text, sizeof(text), &len, BSTREAM_DONT_WAIT) != 0)
		return 5;
	bstream_reader_close(reader);
	return 0;
}
