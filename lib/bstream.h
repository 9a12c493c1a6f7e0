/* SPDX-License-Identifier: MIT */
/*
 * bstream.h - byte streams between processes: the public interface of libbstream.
 *
 * A stream is a bounded FIFO of chunks in one shared-memory segment: many writers, one reader.
 * This header is the whole contract; everything behind it may change.
 *
 * Results.    An int is 0 or a stated positive outcome, or a negative errno. Out-parameters are
 *             written on success only, unless a call says otherwise. Wrong arguments (-EINVAL,
 *             -EMSGSIZE) are found before anything else. After a failed call the caller owns all
 *             it owned before. The library never prints, exits, installs signal handlers or
 *             raises SIGPIPE, and it does not allocate on the data path.
 * Deadlines.  Absolute CLOCK_MONOTONIC nanoseconds: BSTREAM_FOREVER, BSTREAM_DONT_WAIT (then
 *             -EAGAIN), or bstream_after_ms(ms); past it, -ETIMEDOUT. A deadline bounds the wait
 *             for the peer or the name, not the broker's round trip or start (5 s at most). Where
 *             nothing has to be waited for, a past deadline still succeeds. A signal does not end
 *             a wait.
 * Threads.    A handle is used by one thread at a time; different handles, of the same stream too,
 *             by any threads at once. Clone a writer for each thread.
 * fork.       A forked child does not get its parent's handles: a call on one says -ESTALE there,
 *             and closing it frees memory and nothing else. Give a child an end of its own with
 *             detach and attach.
 */
#ifndef BSTREAM_H
#define BSTREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define BSTREAM_API __attribute__((visibility("default")))
#else
#define BSTREAM_API
#endif

struct bstream_writer;
struct bstream_reader;
struct bstream_view;
struct bstream_mailbox;

/* ---- Deadlines ------------------------------------------------------------------------------ */

#define BSTREAM_FOREVER	  UINT64_MAX /* wait as long as it takes */
#define BSTREAM_DONT_WAIT ((uint64_t)0) /* -EAGAIN in place of any wait */

/*
 * bstream_after_ms - the deadline @ms milliseconds from now.
 *
 * @ms: milliseconds; negative is taken as 0, which is a deadline already past (-ETIMEDOUT, not
 *      -EAGAIN). Values too large to represent give BSTREAM_FOREVER.
 * Returns: absolute CLOCK_MONOTONIC nanoseconds, never BSTREAM_DONT_WAIT. Does not fail or block.
 * Since: 0.1
 */
BSTREAM_API uint64_t bstream_after_ms(int64_t ms);

/* ---- Options -------------------------------------------------------------------------------- */

#define BSTREAM_NAME_MAX 200 /* bytes in the longest name */
#define BSTREAM_NOTE_MAX 4096 /* bytes in the longest note */

#define BSTREAM_KEEP_READER  0x1u /* keep: a read end that is left goes back to its name */
#define BSTREAM_KEEP_WRITERS 0x2u /* keep: no end before bstream_eof or bstream_remove */

#define BSTREAM_SEALED 0x1u /* flags: for peers that are not trusted */
#define BSTREAM_FENCES 0x2u /* flags: for peers that cannot use membarrier(2) */

/*
 * struct bstream_options - what a stream is made like. Start from BSTREAM_OPTIONS_INIT; a NULL
 * pointer means the same. Since: 0.1
 */
struct bstream_options {
	size_t size; /* sizeof, for the ABI: a non-zero tail that is not known is -E2BIG */
	uint32_t capacity; /* chunks in flight: 16 by default; 0 is taken as 1 */
	uint32_t chunk_max; /* bytes in the largest chunk: 65536 by default */
	uint32_t max_writers; /* write ends open at once: 64 by default, 4096 at most */
	uint32_t keep; /* BSTREAM_KEEP_READER | BSTREAM_KEEP_WRITERS, named streams only */
	uint32_t mode; /* who may open it by name: 0600 by default */
	uint32_t flags; /* BSTREAM_SEALED, BSTREAM_FENCES */
	uint32_t gid; /* the group that mode speaks of: one of the caller's; 0: his own */
};

#define BSTREAM_OPTIONS_INIT                                                 \
	{                                                                    \
		sizeof(struct bstream_options), 16, 65536, 64, 0, 0600, 0, 0 \
	}

/* ---- What can be seen of a stream ----------------------------------------------------------- */

#define BSTREAM_READER_NONE   0u /* reader: the read end is gone */
#define BSTREAM_READER_PARKED 1u /* reader: it waits at its name for somebody to open it */
#define BSTREAM_READER_OPEN   2u /* reader: some process owns it */

/* flags in struct bstream_stat; BSTREAM_SEALED and BSTREAM_FENCES may stand beside them */
#define BSTREAM_ENDED	    0x100u /* no write end is left and none can come */
#define BSTREAM_BROKEN	    0x200u /* the read end is gone: writers get -EPIPE */
#define BSTREAM_LOST_WRITER 0x400u /* a writer died without closing */
#define BSTREAM_REMOVED	    0x800u /* the name has been removed */

/*
 * struct bstream_stat - the state of one stream. Set .size = sizeof before the call. Counters are
 * read one by one from a living stream, so they may be a few chunks apart. Since: 0.1
 */
struct bstream_stat {
	size_t size;
	char name[BSTREAM_NAME_MAX + 1]; /* "" for a pair */
	uint32_t capacity, chunk_max, max_writers, keep, mode, uid, gid;
	uint32_t in_flight, writers, reader; /* reader: BSTREAM_READER_NONE, _PARKED, _OPEN */
	uint32_t flags; /* BSTREAM_ENDED, BSTREAM_BROKEN, BSTREAM_LOST_WRITER, BSTREAM_REMOVED */
	int32_t reader_pid, writer_pid; /* 0: none, or not known; the last to have attached */
	uint64_t chunks_written, chunks_read, chunks_abandoned, bytes_written, bytes_read;
	uint64_t writer_waits, reader_waits, created_ns; /* times a side slept; CLOCK_REALTIME */
};

#define BSTREAM_END_READER 1u /* kind */
#define BSTREAM_END_WRITER 2u

#define BSTREAM_WAITS_NOT   0u /* waits_for: it is not waiting */
#define BSTREAM_WAITS_ITEMS 1u /* a reader, for a chunk */
#define BSTREAM_WAITS_ROOM  2u /* a writer, for a free slot */
#define BSTREAM_WAITS_DRAIN 3u /* a writer, for the reader to have released its chunks */

/* struct bstream_end - one end, as bstream_view_ends shows it. Since: 0.1 */
struct bstream_end {
	size_t size;
	uint32_t kind; /* BSTREAM_END_READER, BSTREAM_END_WRITER */
	int32_t pid; /* 0: on its way between two processes */
	uint32_t uid;
	uint32_t waits_for; /* BSTREAM_WAITS_* */
	uint64_t waits_since_ns; /* CLOCK_MONOTONIC; 0 if it is not waiting */
	uint64_t chunks, bytes; /* through this end */
};

#define BSTREAM_QUOTA_STREAMS	  0u /* that he has created */
#define BSTREAM_QUOTA_BYTES	  1u /* of shared memory in them */
#define BSTREAM_QUOTA_ENDS	  2u /* that he has opened by name, and that are open still */
#define BSTREAM_QUOTA_MAILBOXES	  3u
#define BSTREAM_QUOTA_MESSAGES	  4u /* of his that nobody has received yet */
#define BSTREAM_QUOTA_CONNECTIONS 5u
#define BSTREAM_QUOTAS		  6u

struct bstream_quota { /* what one user has, and may have; a limit of UINT64_MAX: no limit */
	uint64_t used, limit;
};

/* struct bstream_broker_stat - the broker. Set .size = sizeof before the call. Since: 0.1 */
struct bstream_broker_stat {
	size_t size;
	int32_t pid;
	uint32_t uid;
	uint32_t wire_version, layout_version;
	uint32_t streams, clients; /* names held; connections open, this call's own included */
	uint32_t max_streams, max_clients; /* limits */
	uint64_t bytes; /* shared memory in the streams it holds */
	uint64_t uptime_ns;
	uint32_t mailboxes, max_mailboxes; /* open; at once */
	struct bstream_quota quotas[BSTREAM_QUOTAS]; /* the caller's own, by BSTREAM_QUOTA_* */
	uint64_t features; /* bits: what it knows beside its wire version (bstream-wire(7)) */
};

/* ---- A pair --------------------------------------------------------------------------------- */

/*
 * bstream_pair - makes a stream without a name and without the broker, and gives both ends of it.
 *
 * @options: borrowed, may be NULL. keep must be 0.
 * @writerp, @readerp: receive new handles; the caller closes each.
 * Blocks: no.
 * Returns: 0; -EINVAL options out of bounds; -E2BIG options of a newer library; -EOPNOTSUPP the
 *          kernel refuses membarrier(2) and BSTREAM_FENCES is not set; -ENOSPC, -ENOMEM, -EMFILE, -ENFILE; -ENOSYS no /proc.
 * Since: 0.1
 */
BSTREAM_API int bstream_pair(const struct bstream_options *options, struct bstream_writer **writerp,
			     struct bstream_reader **readerp);

/* ---- Named streams, through the broker ------------------------------------------------------ */
/*
 * Names: 1 to BSTREAM_NAME_MAX bytes of letters, digits, '.', '_', '-', '/', not starting with
 * '/' or '.'; anything else is -EINVAL.
 *
 * Errors that any of these may give beside its own: -ECONNREFUSED no broker, and none could be
 * started, or more than 20 died one soon after the other while they were asked; -EACCES not permitted; -EDQUOT over quota; -ENOSPC, -ENOMEM, -EMFILE; -EPROTO corrupt;
 * -EPROTONOSUPPORT other wire or layout version; -ETIMEDOUT the broker did not answer in 5 s.
 *
 * A name lives until it is removed, or until its stream is over (broken, or ended and read out)
 * and the last end has gone; from then on it is -ENOENT, and may be created anew.
 */

/*
 * bstream_create - makes a named stream. Its read end is parked: writers may write before any
 * reader comes. The memory is allocated here, in the calling process.
 *
 * @name: borrowed. @options: borrowed, may be NULL.
 * Blocks: for the broker's answer only.
 * Returns: 0; -EEXIST; -EINVAL, -E2BIG, -EOPNOTSUPP as bstream_pair; -ENOSPC no shared memory.
 * Since: 0.1
 */
BSTREAM_API int bstream_create(const char *name, const struct bstream_options *options);

/*
 * bstream_open_writer - opens a write end by name; waits for the name to exist.
 *
 * @writerp: receives a new handle; the caller closes it.
 * Blocks: until the name exists, and until a writer that is stopped in the middle of a write
 *         leaves it, at most to @deadline.
 * Returns: 0; -ENOENT no such name and BSTREAM_DONT_WAIT; -ETIMEDOUT; -EPIPE the read end is
 *          gone; -ESHUTDOWN the stream has ended; -EMFILE max_writers are open already, or no
 *          descriptor is free; -EAGAIN told not to wait and a writer is in the middle of a write.
 * Since: 0.1
 */
BSTREAM_API int bstream_open_writer(const char *name, uint64_t deadline,
				    struct bstream_writer **writerp);

/*
 * bstream_open_reader - opens the read end by name; waits for the name to exist.
 *
 * @readerp: receives a new handle; the caller closes it.
 * Blocks: until the name exists, at most to @deadline.
 * Returns: 0, also for a stream that has ended and is still to be read out; -ENOENT no such name
 *          and BSTREAM_DONT_WAIT; -ETIMEDOUT; -EBUSY at once while any process holds the read
 *          end; -EPIPE the read end is gone for good.
 * Since: 0.1
 */
BSTREAM_API int bstream_open_reader(const char *name, uint64_t deadline,
				    struct bstream_reader **readerp);

/*
 * bstream_remove - removes a name at once. Kept and parked ends are given up, open ends work on,
 * and chunks that wait go with the last end.
 *
 * Blocks: for the broker's answer only.
 * Returns: 0; -ENOENT.
 * Since: 0.1
 */
BSTREAM_API int bstream_remove(const char *name);

/*
 * bstream_eof - gives up the kept write end of a stream made with BSTREAM_KEEP_WRITERS: it ends
 * when its last writer has gone, at once if none is there. Does nothing to any other stream.
 *
 * Blocks: for the broker's answer only.
 * Returns: 0; -ENOENT.
 * Since: 0.1
 */
BSTREAM_API int bstream_eof(const char *name);

#define BSTREAM_WAIT_EXISTS  1u /* what: the name exists */
#define BSTREAM_WAIT_READER  2u /* a process has its read end open */
#define BSTREAM_WAIT_WRITER  3u /* a process has a write end open */
#define BSTREAM_WAIT_EMPTY   4u /* every chunk written has been released */
#define BSTREAM_WAIT_END     5u /* every writer has gone and every chunk has been released */
#define BSTREAM_WAIT_MAILBOX 6u /* a mailbox of this name is open */

/*
 * bstream_wait - waits for something to be true of a name. EXISTS, READER, WRITER and MAILBOX wait for
 * the name to exist, too; EMPTY and END are about a stream that is there.
 *
 * @what: one of BSTREAM_WAIT_*. A mailbox's name is not a stream's: both may be there.
 * Blocks: until it is true, at most to @deadline.
 * Returns: 0; -ENOENT no such name (EMPTY, END, or BSTREAM_DONT_WAIT), or it went meanwhile;
 *          -EAGAIN not true and BSTREAM_DONT_WAIT; -ETIMEDOUT; -EPIPE it can no longer become true, the reader is gone; -ESHUTDOWN no
 *          writer can come any more; -EINVAL.
 * Since: 0.1
 */
BSTREAM_API int bstream_wait(const char *name, uint32_t what, uint64_t deadline);

/*
 * bstream_stat - the state of a named stream, as the broker sees it.
 *
 * @stat: .size set by the caller; filled.
 * Blocks: for the broker's answer only.
 * Returns: 0; -ENOENT; -EINVAL .size is not known.
 * Since: 0.1
 */
BSTREAM_API int bstream_stat(const char *name, struct bstream_stat *stat);

/*
 * bstream_list - calls @each for every named stream, in the order of their names. A stream made or
 * removed during the call may be missed or shown.
 *
 * @each: called with a borrowed struct; the list stops at its first non-zero result.
 * Blocks: for the broker's answers, and in @each.
 * Returns: 0, or what @each returned.
 * Since: 0.1
 */
BSTREAM_API int bstream_list(int (*each)(const struct bstream_stat *stat, void *arg), void *arg);

/* ---- Writing -------------------------------------------------------------------------------- */

/*
 * bstream_write - writes one chunk of @len bytes: whole, or not at all.
 *
 * @buf: borrowed; may be NULL if @len is 0. An empty chunk is a chunk.
 * Blocks: while the stream is full, at most to @deadline.
 * Returns: 0; -EMSGSIZE @len exceeds chunk_max; -EPIPE the reader is gone; -EAGAIN full and
 *          BSTREAM_DONT_WAIT; -ETIMEDOUT; -EBUSY a reservation is open; -EPROTO the segment is
 *          corrupt; -ESTALE the handle was moved away, or belongs to the parent of this process.
 *          On any error nothing of the chunk is ever read.
 * Since: 0.1
 */
BSTREAM_API int bstream_write(struct bstream_writer *writer, const void *buf, size_t len,
			      uint64_t deadline);

/*
 * bstream_writev - as bstream_write; the @n pieces make one chunk.
 *
 * @iov: borrowed. @n: 0 to 1024.
 * Returns: as bstream_write; -EINVAL @n out of range.
 * Since: 0.1
 */
BSTREAM_API int bstream_writev(struct bstream_writer *writer, const struct iovec *iov, int n,
			       uint64_t deadline);

/*
 * bstream_write_many - writes @n chunks, one after the other, as bstream_write does with each: chunks of
 * other writers may come between them. One call costs less than many, and a sleeping reader is woken
 * once for several.
 *
 * @chunks: borrowed; one chunk each. @n: 1 or more, also more than the stream's capacity.
 * Blocks: while the stream is full, at most to @deadline.
 * Returns: how many were written, 1 or more; fewer than @n if one could not be: what stopped it is what
 *          the call with the others then says. If it was the first: as bstream_write; -EINVAL @n. If
 *          any is larger than chunk_max: -EMSGSIZE, and none is written.
 * Since: 0.1
 */
BSTREAM_API int bstream_write_many(struct bstream_writer *writer, const struct iovec *chunks, int n,
				   uint64_t deadline);

/*
 * bstream_reserve - takes the next slot, to be written in place. Follow it by bstream_commit or
 * bstream_cancel; chunks of other writers that come later wait behind it meanwhile.
 *
 * @len: bytes wanted, at most chunk_max. @spanp: receives the memory, @len bytes, the library's,
 *       good until commit or cancel; its contents are undefined.
 * Blocks: while the stream is full, at most to @deadline.
 * Returns: as bstream_write.
 * Since: 0.1
 */
BSTREAM_API int bstream_reserve(struct bstream_writer *writer, size_t len, void **spanp,
				uint64_t deadline);

/*
 * bstream_commit - makes the first @len bytes of the reservation a chunk.
 *
 * Blocks: no.
 * Returns: 0; -EINVAL nothing is reserved, or several chunks are (bstream_commit_many), or @len is more
 *          than was: the reservation stays; -EPIPE the reader has left: the reservation is gone;
 *          -ESTALE.
 * Since: 0.1
 */
BSTREAM_API int bstream_commit(struct bstream_writer *writer, size_t len);

/*
 * bstream_commit_reserve - bstream_commit, and then bstream_reserve of as many bytes as before if they are
 * to be had at once: one call a chunk where many are written in place, one behind the other.
 *
 * @len: as bstream_commit. @spanp: with 1 only, receives the next chunk's memory, as bstream_reserve.
 * Blocks: no.
 * Returns: 1 the chunk is written, and the next is reserved; 0 the chunk is written, and nothing is
 *          reserved: the stream is full, or broken, or it is another writer's turn: bstream_reserve waits
 *          for it, or says why not; -EINVAL, -EPIPE, -ESTALE as bstream_commit.
 * Since: 0.1
 */
BSTREAM_API int bstream_commit_reserve(struct bstream_writer *writer, size_t len, void **spanp);

/*
 * bstream_reserve_many - takes the next slots, up to @n, to be written in place: chunks one behind the
 * other, with none of another writer between them. Follow it by bstream_commit_many or bstream_cancel.
 *
 * @len: bytes wanted for each chunk, at most chunk_max. @spans: receives the memory of each, @len bytes,
 *       the library's, good until commit or cancel; its contents are undefined. @n: 1 or more.
 * Blocks: while the stream is full, at most to @deadline; not for more than one chunk.
 * Returns: how many were taken: 1 to @n, as many as there was room for, and 256 at most; or as
 *          bstream_write; -EINVAL @n.
 * Since: 0.1
 */
BSTREAM_API int bstream_reserve_many(struct bstream_writer *writer, size_t len, struct iovec *spans,
				     int n, uint64_t deadline);

/*
 * bstream_commit_many - makes the first @n of what bstream_reserve_many (or bstream_reserve) has taken
 * chunks, and cancels the others. Of a process that is killed in here the first ones are read, or none,
 * or all: none without those before it.
 *
 * @chunks: borrowed; of each only iov_len counts: the chunk's size. @n: 1 or more.
 * Blocks: no.
 * Returns: 0; -EINVAL less than @n are reserved, @n is less than 1, or one is larger than was reserved:
 *          the reservation stays; -EPIPE the reader has left: the reservation is gone; -ESTALE.
 * Since: 0.1
 */
BSTREAM_API int bstream_commit_many(struct bstream_writer *writer, const struct iovec *chunks,
				    int n);

/*
 * bstream_cancel - gives up what is reserved; nothing of it is ever read. Its slots are free again
 * when the reader passes them. Without a reservation it does nothing.
 *
 * Blocks: no. Cannot fail.
 * Since: 0.1
 */
BSTREAM_API void bstream_cancel(struct bstream_writer *writer);

/*
 * bstream_writer_clone - makes another write end of the same stream, with a handle of its own.
 *
 * @writerp: receives a new handle; the caller closes it.
 * Blocks: no longer than 5 s, for a writer that is stopped in the middle of a write (-ETIMEDOUT).
 * Returns: 0; -EMFILE max_writers are open, or no descriptor is free; -EPIPE the reader is gone;
 *          -ENOSYS no /proc; -EACCES not permitted to open the segment; -ENOMEM; -ESTALE.
 * Since: 0.1
 */
BSTREAM_API int bstream_writer_clone(const struct bstream_writer *writer,
				     struct bstream_writer **writerp);

/*
 * bstream_drain - waits until the reader has released every chunk claimed before the call, by
 * whichever writer.
 *
 * Blocks: at most to @deadline.
 * Returns: 0; -EPIPE the reader left first; -EAGAIN, -ETIMEDOUT; -EBUSY a reservation is open;
 *          -ESTALE.
 * Since: 0.1
 */
BSTREAM_API int bstream_drain(struct bstream_writer *writer, uint64_t deadline);

/*
 * bstream_writer_close - closes a write end and frees the handle; an open reservation is
 * cancelled. When it was the last, the stream ends behind its last chunk. NULL is fine.
 *
 * Blocks: no. Cannot fail. Since: 0.1
 */
BSTREAM_API void bstream_writer_close(struct bstream_writer *writer);

/* ---- Reading -------------------------------------------------------------------------------- */

/*
 * bstream_read - reads one chunk into @buf.
 *
 * @size: bytes of room in @buf. @lenp: receives the chunk's length, also on -EMSGSIZE.
 * Blocks: while the stream is empty, at most to @deadline.
 * Returns: 1 a chunk; 0 the end: every writer has closed and all was read; -ECONNRESET the end,
 *          but a writer died without closing: the data may be cut short. Both ends are sticky.
 *          -EMSGSIZE the chunk is larger than @size, and stays; -EAGAIN, -ETIMEDOUT; -EPROTO the
 *          segment is corrupt; -ESTALE the handle belongs to the parent of this process.
 * Since: 0.1
 */
BSTREAM_API int bstream_read(struct bstream_reader *reader, void *buf, size_t size, size_t *lenp,
			     uint64_t deadline);

/*
 * bstream_peek - shows the next chunk in place. Until bstream_release it comes again at the next
 * peek or read, also for whoever owns the read end by then.
 *
 * @chunkp, @lenp: receive the bytes, the library's, good until release, close, detach or park.
 * Blocks: while the stream is empty, at most to @deadline.
 * Returns: as bstream_read, without -EMSGSIZE.
 * Since: 0.1
 */
BSTREAM_API int bstream_peek(struct bstream_reader *reader, const void **chunkp, size_t *lenp,
			     uint64_t deadline);

/*
 * bstream_release - gives the slot of the peeked chunk back to the writers.
 *
 * Blocks: no.
 * Returns: 0; -EINVAL nothing was peeked; -ESTALE.
 * Since: 0.1
 */
BSTREAM_API int bstream_release(struct bstream_reader *reader);

/*
 * bstream_peek_many - shows the chunks that are there, up to @n, in place and in their order. It waits
 * for the first only. Until they are released they come again, as after bstream_peek; bstream_read
 * takes the first, and the others have to be shown anew.
 *
 * @chunks: receives the bytes and the length of each, the library's and not to be written to, good
 *          until that chunk is released, or close, detach or park; room for @n.
 * @n: 1 or more. There are never more than the stream's capacity; and fewer than are in flight where a
 *     reservation was cancelled, or left by one who died, between them: the next call goes on there.
 * Blocks: while the stream is empty, at most to @deadline.
 * Returns: how many are shown, 1 or more; or as bstream_peek: 0 the end, -ECONNRESET, -EAGAIN,
 *          -ETIMEDOUT, -EPROTO, -ESTALE; -EINVAL @n.
 * Since: 0.1
 */
BSTREAM_API int bstream_peek_many(struct bstream_reader *reader, struct iovec *chunks, int n,
				  uint64_t deadline);

/*
 * bstream_release_many - gives the slots of the first @n of the chunks shown back to the writers, all
 * at once. The others stay as they were shown, and can be released by a further call. So can
 * bstream_release, one by one.
 *
 * @n: 1 or more, and no more than the last bstream_peek_many (or bstream_peek: 1) showed and were not
 *     released since.
 * Blocks: no.
 * Returns: 0; -EINVAL @n: nothing was released; -ESTALE.
 * Since: 0.1
 */
BSTREAM_API int bstream_release_many(struct bstream_reader *reader, int n);

/*
 * bstream_reader_park - gives the read end of a named stream back to its name, where the next
 * bstream_open_reader finds it, with every chunk not yet released. Consumes the handle on success.
 *
 * Blocks: no.
 * Returns: 0; -EINVAL a pair has no name; -ENOENT the name has been removed; -ESTALE.
 * Since: 0.1
 */
BSTREAM_API int bstream_reader_park(struct bstream_reader *reader);

/*
 * bstream_reader_close - closes the read end and frees the handle. Writers get -EPIPE, but for a
 * stream with BSTREAM_KEEP_READER, whose read end goes back to its name. NULL is fine.
 *
 * Blocks: no. Cannot fail. Since: 0.1
 */
BSTREAM_API void bstream_reader_close(struct bstream_reader *reader);

/* ---- Event loops ---------------------------------------------------------------------------- */

/*
 * bstream_reader_pollfd, bstream_writer_pollfd - a descriptor for poll(2), epoll(7) and event loops:
 * readable (POLLIN, for writers, too) whenever a read, or a write, would not say -EAGAIN. So it is
 * at the end of a stream, and when the reader is gone, for good.
 *
 * It may also be readable when nothing can be had: another writer was faster, the slot of a dead one
 * was stepped over, some end was closed, or the descriptor is new (then a few times within a second
 * and a half). The call says -EAGAIN then, and the descriptor is exact again. It stays readable until
 * a call has said -EAGAIN (or -ETIMEDOUT), so it works edge-triggered for those who call until then,
 * with BSTREAM_DONT_WAIT.
 *
 * The handle's own, the same at each call, not to be closed or read. It goes when the handle does:
 * closed, parked, detached or sent. Whoever does not ask for one pays nothing for it; it takes three
 * descriptors and one inotify instance (128 a user by default, fs.inotify.max_user_instances).
 *
 * Blocks: no.
 * Returns: the descriptor; -EMFILE no inotify instance is left for this user, or no descriptor for
 *          this process; -ENOSPC no inotify watch is left for this user; -ENFILE, -ENOMEM; -ENOSYS
 *          no /proc; -EACCES not permitted to read the segment anew; -ESTALE.
 * Since: 0.1
 */
BSTREAM_API int bstream_reader_pollfd(struct bstream_reader *reader);
BSTREAM_API int bstream_writer_pollfd(struct bstream_writer *writer);

/* ---- Moving ends ---------------------------------------------------------------------------- */

/*
 * bstream_writer_detach, bstream_reader_detach - turn an end into one descriptor, which any process
 * that gets it, through exec or a Unix socket, makes an end again by attach. Consumes the handle on
 * success. The descriptor is close-on-exec (clear that for exec); closing the last copy of it
 * without attaching counts as a death. It may not be used for anything else.
 *
 * Blocks: no.
 * Returns: the descriptor; -EBUSY a reservation is open; -ESTALE.
 * Since: 0.1
 */
BSTREAM_API int bstream_writer_detach(struct bstream_writer *writer);
BSTREAM_API int bstream_reader_detach(struct bstream_reader *reader);

/*
 * bstream_writer_attach, bstream_reader_attach - make an end of the descriptor that detach gave.
 *
 * @fd: the library's on success, the caller's on failure.
 * @writerp, @readerp: receive a new handle; the caller closes it.
 * Blocks: no longer than 5 s, for a writer that is stopped in the middle of a write (-ETIMEDOUT).
 * Returns: 0; -EPROTO it is not such an end, or somebody has attached it already, or another user
 *          than root made its stream and did not seal it; -EPIPE its stream is over; -EBADF; -EPROTONOSUPPORT other layout version; -EOPNOTSUPP no
 *          membarrier(2); -ENOMEM.
 * Since: 0.1
 */
BSTREAM_API int bstream_writer_attach(int fd, struct bstream_writer **writerp);
BSTREAM_API int bstream_reader_attach(int fd, struct bstream_reader **readerp);

/*
 * bstream_writer_send, bstream_reader_send - send an end over a Unix socket of any type, to whoever
 * receives it with the matching recv and then owns it, with the chunks in flight. Consume the handle
 * on success.
 *
 * @socket: borrowed. One byte and one descriptor go over it.
 * Blocks: as the socket does.
 * Returns: 0; -EBUSY a reservation is open; -ESTALE; -EAGAIN the socket does not block and is full, or
 *          too many descriptors are in flight; -EPIPE, -ECONNRESET, … the socket's errors. The
 *          handle stays, and can be used on.
 * Since: 0.1
 */
BSTREAM_API int bstream_writer_send(int socket, struct bstream_writer *writer);
BSTREAM_API int bstream_reader_send(int socket, struct bstream_reader *reader);

/*
 * bstream_writer_recv, bstream_reader_recv - receive an end that was sent.
 *
 * @socket: borrowed; only such ends may come over it.
 * @writerp, @readerp: receive a new handle; the caller closes it.
 * Blocks: as the socket does.
 * Returns: 0; -EPROTO no end, or one of the other kind, is in the message (it is closed); -EMFILE
 *          fewer than two descriptors are free, and the message stays in the socket; -ECONNRESET the
 *          peer has closed; -EAGAIN; -EPIPE the stream is over; and what attach says, the end being
 *          closed then.
 * Since: 0.1
 */
BSTREAM_API int bstream_writer_recv(int socket, struct bstream_writer **writerp);
BSTREAM_API int bstream_reader_recv(int socket, struct bstream_reader **readerp);

/* ---- Mailboxes ------------------------------------------------------------------------------ */
/*
 * A mailbox is a name at which one process receives messages. A message is a note, and may carry a
 * read end. It waits in the broker until its receiver takes it; a mailbox holds at least 16. Streams
 * and mailboxes have separate name spaces; names are made alike, and the same errors may be given.
 *
 * A mailbox goes with its owner, however that goes. Read ends that were sent to it and not received
 * are closed then, and their writers get -EPIPE. It survives the broker: its owner's next (or waiting)
 * recv registers it anew. What was queued in a broker that died is lost, and read ends among it closed.
 */

/*
 * struct bstream_message - what bstream_mailbox_recv received. Since: 0.1
 */
struct bstream_message {
	const void *note; /* the library's, good until the next recv or close; a NUL follows it */
	size_t len; /* bytes in the note, without that NUL */
	struct bstream_reader *reader; /* the caller's to close; NULL: none came */
	pid_t pid; /* who sent it: the kernel's word to the broker, not the sender's */
	uid_t uid;
};

/*
 * bstream_mailbox_open - opens a mailbox.
 *
 * @name: borrowed. @mailboxp: receives a new handle; the caller closes it.
 * Blocks: for the broker's answer only.
 * Returns: 0; -EADDRINUSE a mailbox of that name is open; -EDQUOT too many mailboxes; -EINVAL.
 * Since: 0.1
 */
BSTREAM_API int bstream_mailbox_open(const char *name, struct bstream_mailbox **mailboxp);

/*
 * struct bstream_mailbox_options - who may send to a mailbox. Start from BSTREAM_MAILBOX_OPTIONS_INIT; a
 * NULL pointer means the same. Since: 0.1
 */
struct bstream_mailbox_options {
	size_t size; /* sizeof, for the ABI: a non-zero tail that is not known is -E2BIG */
	uint32_t mode; /* who may send, by w, as of a stream: 0600 by default */
	uint32_t gid; /* the group that mode speaks of: one of the caller's; 0: his own */
};

#define BSTREAM_MAILBOX_OPTIONS_INIT                            \
	{                                                       \
		sizeof(struct bstream_mailbox_options), 0600, 0 \
	}

/*
 * bstream_mailbox_open_with - opens a mailbox that others may send to, at the machine's broker. A broker
 * of one user serves nobody else, whatever the mode.
 *
 * @options: borrowed, may be NULL: as bstream_mailbox_open.
 * Blocks: for the broker's answer only.
 * Returns: 0; what bstream_mailbox_open returns; -EACCES the caller is not in that group; -E2BIG options
 *          of a newer library; -EPROTONOSUPPORT a broker that knows of neither mode nor group.
 * Since: 0.1
 */
BSTREAM_API int bstream_mailbox_open_with(const char *name,
					  const struct bstream_mailbox_options *options,
					  struct bstream_mailbox **mailboxp);

/*
 * bstream_mailbox_recv - receives the next message. Those of one sender come in the order in which it
 * sent them. A message whose read end cannot be attached, since its sender took it back, or it was
 * none, or its stream is over, is passed over as if it had never come.
 *
 * @message: filled. It may be what the last recv filled: the reader in it is not closed.
 * Blocks: while there is none, at most to @deadline.
 * Returns: 0; -EAGAIN, -ETIMEDOUT none; -EADDRINUSE, -ECONNREFUSED, … the broker went away, and the
 *          mailbox could not be opened anew: the next call tries again; -EMFILE no descriptor is free,
 *          -ENOMEM: the message stays; -ESTALE the handle belongs to the parent of this process.
 * Since: 0.1
 */
BSTREAM_API int bstream_mailbox_recv(struct bstream_mailbox *mailbox,
				     struct bstream_message *message, uint64_t deadline);

/*
 * bstream_mailbox_pollfd - a descriptor that is readable (POLLIN) while a message is there, that is,
 * whenever bstream_mailbox_recv would not say -EAGAIN. It is also readable when the broker has gone,
 * and when a message will be passed over: recv then says -EAGAIN, and it is exact again. While the
 * mailbox could not be opened anew (see there) it becomes readable after each failed try, in 100 ms at
 * first and in 1 s in the end: the next recv tries again. It stays the same until close.
 *
 * Blocks: no, or for the broker's answer where it has to be opened anew.
 * Returns: the descriptor, the library's, not to be closed or read; -EMFILE, -ENOMEM; -ESTALE.
 * Since: 0.1
 */
BSTREAM_API int bstream_mailbox_pollfd(struct bstream_mailbox *mailbox);

/*
 * bstream_mailbox_close - closes a mailbox and frees the handle. Its name is free when it returns.
 * Messages not received are thrown away; the writers of their streams get -EPIPE. NULL is fine.
 *
 * Blocks: for the broker's answer only. Cannot fail. Since: 0.1
 */
BSTREAM_API void bstream_mailbox_close(struct bstream_mailbox *mailbox);

/*
 * bstream_send - sends a message to a mailbox: a note, and with it, perhaps, a read end, which is the
 * receiver's then, with the chunks in flight.
 *
 * @note: borrowed, @len bytes; may be NULL if @len is 0.
 * @reader: NULL, or a handle that is consumed on success, and stays whole on failure.
 * Blocks: while the mailbox is full, and while nobody is there but the broker is not a second old, so
 *         that the owner may not have found it yet; at most to @deadline.
 * Returns: 0 the message is queued; -ENOENT nobody is there, or he left meanwhile; -EAGAIN full and
 *          BSTREAM_DONT_WAIT, or too many descriptors are in flight; -ETIMEDOUT still full; -EMSGSIZE
 *          @len exceeds BSTREAM_NOTE_MAX; -EINVAL; -EDQUOT too many wait already; -ESTALE the handle
 *          belongs to the parent of this process. On an error the message is never received.
 * Since: 0.1
 */
BSTREAM_API int bstream_send(const char *mailbox, const void *note, size_t len,
			     struct bstream_reader *reader, uint64_t deadline);

/*
 * bstream_connect - opens a stream to whoever owns a mailbox: makes a pair and sends the read end.
 *
 * @note, @len: as bstream_send. @options: as bstream_pair; may be NULL.
 * @writerp: receives a new handle; the caller closes it.
 * Blocks: as bstream_send.
 * Returns: 0; what bstream_pair and bstream_send return.
 * Since: 0.1
 */
BSTREAM_API int bstream_connect(const char *mailbox, const void *note, size_t len,
				const struct bstream_options *options, uint64_t deadline,
				struct bstream_writer **writerp);

/* ---- The broker ----------------------------------------------------------------------------- */

#define BSTREAM_SYSTEM \
	0x1u /* the machine's broker, not the user's; it is never started from here */
#define BSTREAM_NO_START 0x2u /* do not start a broker when there is none */

/*
 * bstream_broker_use - says which broker to ask, for the whole process. Call it before the first
 * call that needs one; a later call counts from then on.
 *
 * @socket: the broker's socket; NULL: $BSTREAM_SOCKET, else the default for @flags. Copied.
 * @flags: BSTREAM_SYSTEM, BSTREAM_NO_START.
 * Blocks: no.
 * Returns: 0; -EINVAL unknown flags, or an empty path; -ENAMETOOLONG.
 * Since: 0.1
 */
BSTREAM_API int bstream_broker_use(const char *socket, uint32_t flags);

/*
 * bstream_broker_stat - how the broker is. Never starts one.
 *
 * @stat: .size set by the caller; filled.
 * Blocks: for the broker's answer only.
 * Returns: 0; -ECONNREFUSED none is running; -EINVAL .size is not known.
 * Since: 0.1
 */
BSTREAM_API int bstream_broker_stat(struct bstream_broker_stat *stat);

/* struct bstream_broker_place - where the broker is, or would be. Set .size = sizeof. Since: 0.1 */
struct bstream_broker_place {
	size_t size;
	char socket[128]; /* its path */
	char segments[64]; /* how the paths of its named streams begin, but for sealed ones */
	char daemon[1024]; /* the program that would be started; without a slash: one in PATH */
};

/*
 * bstream_broker_place - which broker the calls here would ask. Asks none, and starts none.
 *
 * @place: .size set by the caller; filled.
 * Blocks: no.
 * Returns: 0; -EACCES the user's runtime directory is not his alone; -ENAMETOOLONG; -EINVAL .size is
 *          not known.
 * Since: 0.1
 */
BSTREAM_API int bstream_broker_place(struct bstream_broker_place *place);

/*
 * bstream_broker_start - starts the user's broker if none is running. Since: 0.1
 *
 * Blocks: at most 5 s.
 * Returns: 0 it was started; 1 one was running already; -ECONNREFUSED it could not be started;
 *          -EACCES, -ENAMETOOLONG the runtime directory or the socket's path cannot be used.
 */
BSTREAM_API int bstream_broker_start(void);

/*
 * bstream_broker_stop - stops the broker and returns when it has gone. Running streams go on,
 * waiting ones stay for the next broker.
 *
 * Blocks: at most 5 s.
 * Returns: 0; -ECONNREFUSED none is running; -ETIMEDOUT.
 * Since: 0.1
 */
BSTREAM_API int bstream_broker_stop(void);

/*
 * bstream_broker_metrics - how the broker and its streams are, as OpenMetrics text (bstreamd(8)).
 *
 * @fdp: receives a socket, close-on-exec and the caller's, from which the text is read to its end;
 *       the last line is "# EOF". A read that waits for five seconds fails with EAGAIN.
 * Blocks: for the broker's answer only.
 * Returns: 0; -ECONNREFUSED none is running; -EACCES only the broker's own user and root may; -EAGAIN
 *          too many ask at once.
 * Since: 0.1
 */
BSTREAM_API int bstream_broker_metrics(int *fdp);

/*
 * bstream_broker_rules - where the administrator's rules stand that this broker goes by. Never starts one.
 *
 * @buf, @size: as for snprintf: receives the directory's path, "" if there are no rules to be read.
 * Blocks: for the broker's answer only.
 * Returns: the length of the whole path without the NUL; -ECONNREFUSED none is running;
 *          -EPROTONOSUPPORT the broker is an older one, which does not tell.
 * Since: 0.1
 */
BSTREAM_API int bstream_broker_rules(char *buf, size_t size);

/* bstream_refusal.why */
#define BSTREAM_WHY_RIGHT	 1u /* uid has not the right to what is owner_uid's */
#define BSTREAM_WHY_GROUP	 2u /* uid does not belong to the group owner_gid */
#define BSTREAM_WHY_RULE	 3u /* the administrator's rules do not give uid the right */
#define BSTREAM_WHY_USER_LIMIT	 4u /* uid has as many as one user may have */
#define BSTREAM_WHY_BROKER_LIMIT 5u /* there are as many as this broker may have */
#define BSTREAM_WHY_UNSEALED	 6u /* this broker takes sealed streams only */
#define BSTREAM_WHY_FEATURE	 7u /* it does not know a feature that the request needs: bits limit */
#define BSTREAM_WHY_LAYOUT \
	8u /* the stream has another layout, or bits limit of it, not known here */

/* bstream_refusal.right, bits: one of them would have been enough */
#define BSTREAM_RIGHT_OWN   1u
#define BSTREAM_RIGHT_WRITE 2u
#define BSTREAM_RIGHT_READ  4u

/*
 * struct bstream_refusal - what the broker said of why it refused. Set .size before the call.
 */
struct bstream_refusal {
	size_t size;
	int32_t error; /* what the call gave: -EACCES, -EDQUOT, -EPROTONOSUPPORT, … */
	uint32_t why; /* BSTREAM_WHY_*; 0: it said no more */
	uint32_t right; /* the right that was missing; of a rule, OWN is to create */
	uint32_t uid; /* who asked */
	uint32_t owner_uid, owner_gid, mode; /* whose it is */
	uint32_t wire_version, layout_version; /* the broker's */
	uint64_t
		limit; /* how many, of what limit_name says; of a rule, the line in that file; a feature */
	char limit_name[16];
};

/*
 * bstream_refusal - what the broker refused to this thread, if that was what its last question got; or
 * the library itself, because of the layout of what it was to attach (wire_version is 0 then, and
 * layout_version the stream's).
 *
 * @refusal: .size set by the caller; filled.
 * Blocks: no.
 * Returns: 0; -ENOENT it refused nothing; -EINVAL .size is not known.
 * Since: 0.1
 */
BSTREAM_API int bstream_refusal(struct bstream_refusal *refusal);

/* ---- Looking -------------------------------------------------------------------------------- */

/*
 * bstream_view_open - opens a named stream to look at it; disturbs nobody.
 *
 * @viewp: receives a view; the caller closes it. It goes on showing a stream that was removed.
 * Blocks: for the broker's answer only.
 * Returns: 0; -ENOENT.
 * Since: 0.1
 */
BSTREAM_API int bstream_view_open(const char *name, struct bstream_view **viewp);

/* bstream_view_stat - as bstream_stat, from the segment itself, without the broker. Since: 0.1 */
BSTREAM_API int bstream_view_stat(struct bstream_view *view, struct bstream_stat *stat);

/*
 * bstream_view_ends - calls @each for the read end, if it is open, and for each write end.
 *
 * @each: called with a borrowed struct; stops at its first non-zero result.
 * Returns: 0, or what @each returned.
 * Since: 0.1
 */
BSTREAM_API int bstream_view_ends(struct bstream_view *view,
				  int (*each)(const struct bstream_end *end, void *arg), void *arg);

/* bstream_view_close - frees a view. NULL is fine. Since: 0.1 */
BSTREAM_API void bstream_view_close(struct bstream_view *view);

/*
 * bstream_writer_stat, bstream_reader_stat - the state of the stream behind a handle. Peers that
 * died are found and counted as gone.
 *
 * @stat: .size set by the caller; filled.
 * Blocks: no.
 * Returns: 0; -EINVAL .size is not known; -ESTALE.
 * Since: 0.1
 */
BSTREAM_API int bstream_writer_stat(const struct bstream_writer *writer, struct bstream_stat *stat);
BSTREAM_API int bstream_reader_stat(const struct bstream_reader *reader, struct bstream_stat *stat);

/*
 * bstream_writer_describe, bstream_reader_describe - a handle in words, for logs:
 * "bstream_writer(name, 3/16 chunks, open)"; "(pair)" stands for the name where there is none; the
 * last word is open, ended, broken or stale.
 *
 * @buf, @size: as for snprintf: at most @size bytes with the NUL are stored; may be NULL, 0.
 * Blocks: no.
 * Returns: the length of the whole text without the NUL. Does not fail.
 * Since: 0.1
 */
BSTREAM_API int bstream_writer_describe(const struct bstream_writer *writer, char *buf,
					size_t size);
BSTREAM_API int bstream_reader_describe(const struct bstream_reader *reader, char *buf,
					size_t size);

/* bstream_version - the library's version, "0.1.0"; static. Since: 0.1 */
BSTREAM_API const char *bstream_version(void);

/* bstream_wire_version, bstream_layout_version - what it speaks to brokers and segments. Since: 0.1 */
BSTREAM_API uint32_t bstream_wire_version(void);
BSTREAM_API uint32_t bstream_layout_version(void);

#ifdef __cplusplus
}
#endif

#endif
