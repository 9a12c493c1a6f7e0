/* SPDX-License-Identifier: MIT */
/*
 * check_strangers.c - what anybody may send to the broker, and it goes on serving the others: each
 * test ends with the guard stopping the same broker that it started with, in good order.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/end.h"
#include "proto/layout.h"
#include "proto/segment.h"
#include "tests/broker/raw.h"

static pid_t broker_pid;

static void broker_begin(void)
{
	GIVES(bstream_broker_start(), 0);
	broker_pid = raw_broker_pid();
}

/* It is the same one, and serves. */
static void broker_is_well(void)
{
	GIVES(raw_broker_pid(), broker_pid);
}

/* Say it on a new connection; what comes back. */
static int say(const void *bytes, size_t len, const int *fds, size_t n_fds)
{
	int r, conn = raw_connect();

	MUST(raw_send(conn, bytes, len, fds, n_fds));
	r = raw_result(conn, NULL);
	close(conn);
	broker_is_well();
	return r;
}

START_TEST(packets_that_are_no_requests)
{
	struct bs_req_name good = raw_question(BS_REQ_STAT, "s", 0), q;
	char long_one[8192] = { 0 };
	int null;

	broker_begin();
	for (size_t len = 0; len < sizeof(good.head); len++)
		GIVES(say(&good, len, NULL, 0), -ENOTCONN);
	for (size_t len = sizeof(good.head); len < sizeof(good); len++)
		GIVES(say(&good, len, NULL, 0), -EPROTO);
	memcpy(long_one, &good, sizeof(good));
	GIVES(say(long_one, sizeof(good) + 1, NULL, 0), -EPROTO);
	GIVES(say(long_one, sizeof(long_one), NULL, 0), -ENOTCONN);
	q = good, q.head.magic++;
	GIVES(say(&q, sizeof(q), NULL, 0), -ENOTCONN);
	q = good, q.head.version++;
	GIVES(say(&q, sizeof(q), NULL, 0), -EPROTONOSUPPORT);
	q = good, q.head.layout++;
	GIVES(say(&q, sizeof(q), NULL, 0), -EPROTONOSUPPORT);
	q = good, q.head.size++;
	GIVES(say(&q, sizeof(q), NULL, 0), -EPROTO);
	q = good, q.flags = BS_WANT_WAIT; /* STAT does not wait */
	GIVES(say(&q, sizeof(q), NULL, 0), -EPROTO);
	for (unsigned type = 0; type < 0x10000; type += type < 32 ? 1 : 4099) {
		if (type >= BS_REQ_CREATE && type < BS_REQ_COUNT)
			continue;
		q = good, q.head.type = (uint16_t)type;
		GIVES(say(&q, sizeof(q), NULL, 0), -EPROTO);
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	GIVES(say(&good, sizeof(good), &null, 1), -EPROTO);
	close(null);
}
END_TEST

static int ask_bytes(const char *name, size_t len)
{
	struct bs_req_name q = raw_question(BS_REQ_STAT, "", 0);

	memcpy(q.name, name, len);
	return say(&q, sizeof(q), NULL, 0);
}

/* xorshift: the same bytes every time. */
static uint64_t noise(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

START_TEST(requests_with_noise_in_them)
{
	uint64_t state = 0x9e3779b97f4a7c15;
	struct bs_req_name q;
	int fd;

	broker_begin();
	GIVES(bstream_create("s", NULL), 0);
	for (int i = 0; i < 3000; i++) {
		uint16_t type = (uint16_t)(1 + noise(&state) % (BS_REQ_STOP - 1)); /* no STOP */
		size_t at = 8 + noise(&state) % (sizeof(q) - 8), len = sizeof(q);
		int conn = raw_connect();

		q = raw_question(type, "s", 0);
		((unsigned char *)&q)[at] = (unsigned char)noise(&state);
		if (noise(&state) % 4 == 0)
			len = noise(&state) % sizeof(q);
		MUST(raw_send(conn, &q, len, NULL, 0));
		raw_result(conn, &fd);
		if (fd >= 0)
			close(fd);
		close(conn);
		bstream_create("s", NULL);
	}
	broker_is_well();
	bstream_remove("s");
}
END_TEST

START_TEST(names_that_cannot_be)
{
	char full[BS_WIRE_NAME];

	broker_begin();
	memset(full, 'x', sizeof(full));
	GIVES(ask_bytes("", 0), -EINVAL);
	GIVES(ask_bytes("/x", 2), -EINVAL);
	GIVES(ask_bytes(".x", 2), -EINVAL);
	GIVES(ask_bytes("a b", 3), -EINVAL);
	GIVES(ask_bytes("\xff", 1), -EINVAL);
	GIVES(ask_bytes("a\nb", 3), -EINVAL);
	GIVES(ask_bytes("a\0b", 3), -EPROTO); /* something behind the name */
	GIVES(ask_bytes(full, sizeof(full)), -EPROTO); /* no end of it */
	GIVES(ask_bytes(full, sizeof(full) - 1), -EINVAL);
	GIVES(ask_bytes(full, 200), -ENOENT);
}
END_TEST

/* CREATE "s" with so many copies of @fd. */
static int create_with(int fd, size_t n_fds)
{
	struct bs_req_create q = { .head = { BS_WIRE_MAGIC, BS_WIRE_VERSION, BS_REQ_CREATE,
					     sizeof(q), BS_LAYOUT_VERSION, 0 },
				   .name = "s" };
	int fds[BS_PACKET_FDS];

	for (size_t i = 0; i < n_fds; i++)
		fds[i] = fd;
	return say(&q, sizeof(q), fds, n_fds);
}

START_TEST(descriptors_in_the_wrong_number)
{
	int fd = raw_segment("s");

	broker_begin();
	GIVES(create_with(fd, 0), -EPROTO);
	GIVES(create_with(fd, 2), -EPROTO);
	GIVES(create_with(fd, BS_PACKET_FDS), -EPROTO);
	GIVES(create_with(fd, 1), 0);
	GIVES(bstream_remove("s"), 0);
	close(fd);
}
END_TEST

/* A descriptor that is refused, whoever closes it last. */
static void refused(int fd, int why)
{
	MUST(fd >= 0);
	GIVES(create_with(fd, 1), why);
	close(fd);
	GIVES(bstream_remove("s"), -ENOENT);
	GIVES(guard_n_segments(), 0);
}

static int reopened(int fd, int flags)
{
	int fresh = bs_end_reopen(fd, flags);

	close(fd);
	return fresh;
}

static int sealed_memfd(void)
{
	int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	MUST(ftruncate(fd, 1 << 20) == 0);
	MUST(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0);
	return fd;
}

START_TEST(descriptors_of_the_wrong_kind)
{
	int ends[2];

	broker_begin();
	MUST(pipe2(ends, O_CLOEXEC) == 0);
	refused(ends[0], -EPROTO);
	refused(ends[1], -EPROTO);
	refused(open("/dev/null", O_RDWR | O_CLOEXEC), -EPROTO);
	refused(open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC), -EPROTO);
	refused(open("/proc/self/status", O_RDONLY | O_CLOEXEC), -EPROTO);
	refused(eventfd(0, EFD_CLOEXEC), -EPROTO);
	refused(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), -EPROTO);
	refused(memfd_create("plain", MFD_CLOEXEC), -EPROTO);
	refused(sealed_memfd(), -EPROTO);
	refused(reopened(raw_segment("s"), O_RDONLY), -EPROTO);
	refused(reopened(raw_segment("s"), O_PATH), -EPROTO);
}
END_TEST

/* A segment into which @len bytes have been written at @at. */
static int spoilt(uint64_t at, const void *bytes, size_t len)
{
	int fd = raw_segment("s");

	MUST(pwrite(fd, bytes, len, (off_t)at) == (ssize_t)len);
	return fd;
}

#define SPOILT(member, value) \
	spoilt(offsetof(struct bs_segment, member), &(__typeof__(value)){ (value) }, sizeof(value))

static int sparse(void)
{
	int fd = raw_segment("s");

	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096) == 0);
	return fd;
}

static int shorter(void)
{
	int fd = raw_segment("s");

	MUST(ftruncate(fd, 4096) == 0);
	return fd;
}

static int locked(uint64_t byte)
{
	int fd = raw_segment("s");

	GIVES(bs_end_lock(fd, byte), 0);
	return fd;
}

static int open_to_others(void)
{
	int fd = raw_segment("s");

	MUST(fchmod(fd, 0666) == 0);
	return fd;
}

static int leased(void)
{
	int fd = raw_segment("s");

	fcntl(fd, F_SETLEASE, F_WRLCK); /* where it can be had: else an ordinary segment … */
	return fd;
}

START_TEST(segments_that_are_not_what_they_say)
{
	broker_begin();
	refused(raw_segment("other"), -EPROTO);
	refused(sparse(), -ENOSPC);
	refused(shorter(), -EPROTO);
	refused(locked(BS_BYTE_READER), -EPROTO);
	refused(locked(BS_BYTE_BROKER), -EPROTO);
	refused(locked(BS_BYTE_WRITERS + 7), -EPROTO);
	refused(open_to_others(), -EPROTO);
	refused(SPOILT(header.magic, 'x'), -EPROTO);
	refused(SPOILT(header.version, BS_LAYOUT_VERSION + 1), -EPROTONOSUPPORT);
	refused(SPOILT(header.capacity, UINT32_MAX), -EPROTO);
	refused(SPOILT(header.capacity, 0u), -EPROTO);
	refused(SPOILT(header.chunk_max, UINT32_MAX), -EPROTO);
	refused(SPOILT(header.max_writers, 4096u), -EPROTO);
	refused(SPOILT(header.size, UINT64_MAX), -EPROTO);
	refused(SPOILT(verdicts.reader, (uint64_t)BS_R_OPEN), -EPROTO);
	refused(SPOILT(verdicts.writers, (uint64_t)BS_W_ENDED), -EPROTO);
	refused(SPOILT(verdicts.shared, BS_SHARED_DONE), -EPROTO);
}
END_TEST

/* A segment with a file name of its own. */
static int named(const char *path)
{
	char link[64];
	int fd = raw_segment("s");

	unlink(path);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	MUST(linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0);
	close(fd);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* Where there are no nameless files the library makes one with a private name. */
START_TEST(only_a_private_name_is_exchanged_for_the_streams)
{
	char path[64];
	int fd;

	broker_begin();
	snprintf(path, sizeof(path), BS_SHM_DIR "/bstream.new.%016x", (unsigned)getpid());
	fd = named(path);
	GIVES(create_with(fd, 1), 0);
	MUST(access(path, F_OK) < 0 && errno == ENOENT);
	GIVES(guard_n_segments(), 1);
	GIVES(create_with(fd, 1), -EEXIST);
	GIVES(bstream_remove("s"), 0);
	close(fd);
	snprintf(path, sizeof(path), BS_SHM_DIR "/somebody.%d", (int)getpid());
	refused(named(path), -EPROTO);
	MUST(unlink(path) == 0);
	snprintf(path, sizeof(path), BS_SHM_DIR "/bstream.new.%016x", (unsigned)getpid());
	fd = named(path);
	MUST(unlink(path) == 0); /* nameless again */
	GIVES(create_with(fd, 1), -EPROTO);
	close(fd);
}
END_TEST

START_TEST(a_lease_does_not_keep_the_broker_waiting)
{
	int rc, fd;

	broker_begin();
	signal(SIGIO, SIG_IGN); /* what the holder of a lease gets when it is to give it up */
	fd = leased();
	rc = create_with(fd, 1);
	MUST(rc == -EPROTO || rc == 0);
	if (rc == 0)
		GIVES(bstream_remove("s"), 0);
	close(fd);
}
END_TEST

/* Send it with a socket that lingers, @first being sent before it. The broker sleeps meanwhile, so
 * that ours is gone before it looks: its copy is the last. */
static int leave_behind(const void *first, size_t first_len, const void *bytes, size_t len,
			int *other)
{
	int conn, fd = raw_lingering(other);

	raw_broker_stop(broker_pid);
	conn = raw_connect();
	if (first)
		MUST(raw_send(conn, first, first_len, NULL, 0) && raw_send(conn, "", 0, NULL, 0));
	MUST(raw_send(conn, bytes, len, &fd, 1));
	close(fd);
	MUST(kill(broker_pid, SIGCONT) == 0);
	return conn;
}

START_TEST(sockets_that_linger_do_not_keep_the_broker_waiting)
{
	struct bs_req_create create = { .head = { BS_WIRE_MAGIC, BS_WIRE_VERSION, BS_REQ_CREATE,
						  sizeof(create), BS_LAYOUT_VERSION, 0 },
					.name = "s" };
	struct bs_req_name wait = raw_question(BS_REQ_EXISTS, "never", BS_WANT_WAIT);
	int other[4], conn[4];

	broker_begin();
	conn[0] = leave_behind(NULL, 0, &create, sizeof(create), &other[0]);
	GIVES(raw_result(conn[0], NULL), -EPROTO);
	broker_is_well();
	conn[1] = leave_behind(NULL, 0, "garbage", 7, &other[1]);
	GIVES(raw_result(conn[1], NULL), -ENOTCONN);
	broker_is_well();
	conn[2] = leave_behind(NULL, 0, "", 0, &other[2]);
	GIVES(raw_result(conn[2], NULL), -ENOTCONN);
	broker_is_well();
	/* In the queue of a connection that is dropped without having been read to its end. */
	conn[3] = leave_behind(&wait, sizeof(wait), "", 0, &other[3]);
	GIVES(raw_result(conn[3], NULL), -ENOTCONN);
	broker_is_well();
	GIVES(bstream_create("s", NULL), 0);
	GIVES(bstream_remove("s"), 0);
	for (int i = 0; i < 4; i++) {
		close(conn[i]);
		close(other[i]);
	}
}
END_TEST

/* A named stream whose file has been cut to nothing behind the broker's back. */
static void cut_stream(const char *name)
{
	int fd;

	GIVES(bstream_create(name, NULL), 0);
	GIVES(raw_ask(BS_REQ_LOOK, name, BS_WANT_WRITE, &fd), 0);
	MUST(ftruncate(fd, 0) == 0);
	close(fd);
}

/* Whatever is asked first of a cut stream, the broker lives, and the name is free soon. */
static void ask_of_cut_stream(uint16_t type)
{
	int fd = -1, rc;

	cut_stream("cut");
	rc = raw_ask(type, "cut", 0, type == BS_REQ_LOOK ? &fd : NULL);
	MUST(rc == -EPROTO || rc == -ENOENT || rc == 0);
	if (fd >= 0)
		close(fd);
	broker_is_well();
	UNTIL(guard_n_segments() == 1); /* the whole one */
	GIVES(bstream_create("cut", NULL), 0);
	GIVES(bstream_remove("cut"), 0);
}

START_TEST(a_truncated_segment_costs_its_own_stream_only)
{
	struct bstream_writer *w;

	broker_begin();
	GIVES(bstream_create("whole", NULL), 0);
	GIVES(bstream_open_writer("whole", BSTREAM_DONT_WAIT, &w), 0);
	ask_of_cut_stream(BS_REQ_OPEN_WRITER);
	ask_of_cut_stream(BS_REQ_OPEN_READER);
	ask_of_cut_stream(BS_REQ_LOOK);
	ask_of_cut_stream(BS_REQ_STAT);
	ask_of_cut_stream(BS_REQ_LIST);
	ask_of_cut_stream(BS_REQ_EOF);
	ask_of_cut_stream(BS_REQ_REMOVE);
	ask_of_cut_stream(BS_REQ_EXISTS);
	SAY(w, "well");
	bstream_writer_close(w);
	GIVES(bstream_remove("whole"), 0);
}
END_TEST

enum { CROWD = 1500 }; /* more than a broker takes at a time */

/* May this process have so many sockets? Says so if not. */
static bool crowd_is_possible(void)
{
	struct rlimit rl;

	MUST(getrlimit(RLIMIT_NOFILE, &rl) == 0);
	rl.rlim_cur = rl.rlim_max;
	MUST(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	if (rl.rlim_cur > CROWD + 100)
		return true;
	printf("skipped: no more than %llu descriptors may be open\n",
	       (unsigned long long)rl.rlim_cur);
	return false;
}

START_TEST(who_never_asks_keeps_nobody_out)
{
	if (!crowd_is_possible())
		return;
	int *conn = calloc(CROWD, sizeof(*conn));

	broker_begin();
	for (int i = 0; i < CROWD; i++)
		conn[i] = raw_connect();
	broker_is_well();
	GIVES(bstream_create("s", NULL), 0);
	GIVES(bstream_remove("s"), 0);
	for (int i = 0; i < CROWD; i++)
		close(conn[i]);
	free(conn);
}
END_TEST

static void refused_as_one_who_waits(int rc)
{
	struct bstream_refusal refusal = { .size = sizeof(refusal) };

	GIVES(rc, -EDQUOT);
	GIVES(bstream_refusal(&refusal), 0);
	GIVES(refusal.why, BSTREAM_WHY_BROKER_LIMIT);
	MUST(strcmp(refusal.limit_name, "waiting") == 0);
}

/* Nor be a mailbox, nor wait for room in this one; and that is said, not that there are too many of these. */
static void none_more_may_wait(const char *full)
{
	struct bstream_mailbox *m;

	refused_as_one_who_waits(bstream_mailbox_open("m", &m));
	refused_as_one_who_waits(bstream_wait("never", BSTREAM_WAIT_EXISTS, guard_patience()));
	refused_as_one_who_waits(bstream_send(full, "note", 4, NULL, guard_patience()));
}

static void mailbox_fill(const char *name)
{
	int rc;

	do
		rc = bstream_send(name, "note", 4, NULL, BSTREAM_DONT_WAIT);
	while (rc == 0);
	GIVES(rc, -EAGAIN);
}

START_TEST(so_many_may_wait_and_the_others_are_served)
{
	if (!crowd_is_possible())
		return;
	struct bs_req_name q = raw_question(BS_REQ_EXISTS, "later", BS_WANT_WAIT);
	int n_named = 0, n_refused = 0, *conn = calloc(CROWD, sizeof(*conn));
	struct bstream_mailbox *m;

	broker_begin();
	GIVES(bstream_mailbox_open("full", &m), 0);
	mailbox_fill("full");
	for (int i = 0; i < CROWD; i++) {
		conn[i] = raw_connect();
		MUST(raw_send(conn[i], &q, sizeof(q), NULL, 0));
	}
	broker_is_well();
	none_more_may_wait("full");
	GIVES(bstream_create("later", NULL), 0);
	for (int i = 0; i < CROWD; i++) {
		int rc = raw_result(conn[i], NULL);

		n_named += rc == 0;
		n_refused += rc == -EDQUOT || rc == -ENOTCONN;
		close(conn[i]);
	}
	GIVES(n_named + n_refused, CROWD);
	MUST(n_named > 0 && n_refused > 0);
	free(conn);
	bstream_mailbox_close(m);
	GIVES(bstream_remove("later"), 0);
}
END_TEST

START_TEST(who_never_reads_is_dropped)
{
	struct bs_req_name q = raw_question(BS_REQ_SEND, "none", 0);
	int conn;

	broker_begin();
	conn = raw_connect();
	while (raw_send(conn, &q, sizeof(q), NULL, 0))
		;
	MUST(errno == EPIPE || errno == ECONNRESET);
	broker_is_well();
	close(conn);
}
END_TEST

START_TEST(many_messages_on_one_connection_are_answered)
{
	struct bs_req_name q = raw_question(BS_REQ_SEND, "none", 0);
	int conn;

	broker_begin();
	conn = raw_connect();
	for (int i = 0; i < 1000; i++) {
		MUST(raw_send(conn, &q, sizeof(q), NULL, 0));
		GIVES(raw_result(conn, NULL), -ENOENT);
	}
	close(conn);
}
END_TEST

/* Whether it was waited for or not. */
START_TEST(the_broker_hangs_up_when_it_has_answered)
{
	struct bs_req_name q = raw_question(BS_REQ_OPEN_WRITER, "s", BS_WANT_WAIT);
	int conns[2], fds[2];

	broker_begin();
	conns[0] = raw_connect();
	MUST(raw_send(conns[0], &q, sizeof(q), NULL, 0));
	GIVES(bstream_create("s", NULL), 0);
	conns[1] = raw_connect();
	MUST(raw_send(conns[1], &q, sizeof(q), NULL, 0));
	for (int i = 0; i < 2; i++) {
		GIVES(raw_result(conns[i], &fds[i]), 0);
		GIVES(raw_result(conns[i], NULL), -ENOTCONN);
		close(conns[i]);
		close(fds[i]);
	}
	GIVES(bstream_remove("s"), 0);
}
END_TEST

/* As another user, through the door if it is open. What comes of a request. */
static int stranger_asks(int door)
{
	struct bs_req_name q = raw_question(BS_REQ_STAT, "s", 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int conn = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d", door);
	MUST(setuid(65534) == 0);
	MUST(prctl(PR_SET_DUMPABLE, 1) == 0); /* else /proc/self is root's */
	if (connect(conn, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	MUST(raw_send(conn, &q, sizeof(q), NULL, 0));
	return raw_result(conn, NULL);
}

START_TEST(another_user_is_refused)
{
	if (geteuid() != 0) {
		printf("another_user_is_refused: skipped, needs root to become somebody else\n");
		return;
	}
	broker_begin();
	GIVES(bstream_create("s", NULL), 0);
	int door = open(raw_socket_path(), O_PATH | O_CLOEXEC);
	for (int open_to_all = 0; open_to_all < 2; open_to_all++) {
		if (open_to_all)
			MUST(chmod(raw_socket_path(), 0666) == 0);
		pid_t pid = guard_fork();
		if (pid == 0) {
			GIVES(stranger_asks(door), -EACCES);
			_exit(0);
		}
		guard_reap(pid);
	}
	close(door);
	GIVES(bstream_remove("s"), 0);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(packets_that_are_no_requests),
		ONCE(requests_with_noise_in_them),
		ONCE(names_that_cannot_be),
		ONCE(descriptors_in_the_wrong_number),
		ONCE(descriptors_of_the_wrong_kind),
		ONCE(segments_that_are_not_what_they_say),
		ONCE(only_a_private_name_is_exchanged_for_the_streams),
		ONCE(a_lease_does_not_keep_the_broker_waiting),
		ONCE(sockets_that_linger_do_not_keep_the_broker_waiting),
		ONCE(a_truncated_segment_costs_its_own_stream_only),
		ONCE(who_never_asks_keeps_nobody_out),
		ONCE(so_many_may_wait_and_the_others_are_served),
		ONCE(who_never_reads_is_dropped),
		ONCE(many_messages_on_one_connection_are_answered),
		ONCE(the_broker_hangs_up_when_it_has_answered),
		ONCE(another_user_is_refused),
	};

	guard_need_broker();
	return GUARD_RUN("strangers", cases);
}
