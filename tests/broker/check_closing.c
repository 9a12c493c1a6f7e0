/* SPDX-License-Identifier: MIT */
/*
 * check_closing.c - one user has the broker close what never lets itself be closed, and ask nothing
 * that he waits for: another is served meanwhile. Played by root as two users.
 */
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/layout.h"
#include "proto/meeting.h"
#include "tests/broker/raw.h"
#include "tests/broker/users.h"

static struct guard_gate asleep, attacked, served;

static void live_on(void *arg)
{
	struct bstream_writer *w;
	struct bstream_reader *r;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		struct bstream_message message;
		struct bstream_mailbox *m;

		GIVES(bstream_create("b", NULL), 0);
		GIVES(bstream_open_writer("b", BSTREAM_DONT_WAIT, &w), 0);
		GIVES(bstream_open_reader("b", BSTREAM_DONT_WAIT, &r), 0);
		GIVES(bstream_mailbox_open("m", &m), 0);
		GIVES(bstream_send("m", "note", 4, r, BSTREAM_DONT_WAIT), 0);
		GIVES(bstream_mailbox_recv(m, &message, guard_patience()), 0);
		SAY(w, "a");
		HEAR(message.reader, "a");
		bstream_mailbox_close(m);
		bstream_writer_close(w);
		bstream_reader_close(message.reader);
		UNTIL(bstream_wait("b", BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT) == -ENOENT);
	}
}

static void gates_init(void)
{
	guard_gate_init(&asleep);
	guard_gate_init(&attacked);
	guard_gate_init(&served);
}

static void gates_fini(void)
{
	guard_gate_fini(&asleep);
	guard_gate_fini(&attacked);
	guard_gate_fini(&served);
}

/* ---- sockets that linger, in the queues of connections --------------------------------------- */

enum { CROWD = 1100, BATCH = 25 }; /* more than the broker has connections for; and at once */
static_assert(BATCH < BS_BACKLOG && CROWD % BATCH == 0, "the broker sleeps while they come");

/* May a process have so many sockets? Says so if not. */
static bool crowd_is_possible(void)
{
	struct rlimit rl;

	MUST(getrlimit(RLIMIT_NOFILE, &rl) == 0);
	rl.rlim_cur = rl.rlim_max;
	MUST(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	if (rl.rlim_cur > 2 * CROWD + 100)
		return true;
	printf("skipped: no more than %llu descriptors may be open\n",
	       (unsigned long long)rl.rlim_cur);
	return false;
}

/* While the broker sleeps, so that nobody else has the socket that lingers in each queue: each waits for a
 * name, and then says more than it may, if it is not one too many before. All are dropped. */
static void leave_what_lingers(void *arg)
{
	struct bs_req_name wait = raw_question(BS_REQ_EXISTS, "never", BS_WANT_WAIT);
	int *conns = calloc(CROWD, sizeof(*conns)), *others = calloc(CROWD, sizeof(*others));

	(void)arg;
	for (int i = 0; i < CROWD; i++) {
		int fd = raw_lingering(&others[i]);

		if (i % BATCH == 0)
			guard_gate_pass(&asleep);
		conns[i] = raw_connect();
		MUST(raw_send(conns[i], &wait, sizeof(wait), NULL, 0));
		MUST(raw_send(conns[i], "", 0, &fd, 1));
		close(fd);
		if (i % BATCH != BATCH - 1)
			continue;
		guard_gate_open(&attacked);
		for (int k = i - BATCH + 1; k <= i; k++)
			GIVES(raw_result(conns[k], NULL), -ENOTCONN);
		guard_gate_open(&attacked);
	}
	guard_gate_pass(&served);
	for (int i = 0; i < CROWD; i++) {
		close(conns[i]);
		close(others[i]);
	}
	free(conns);
	free(others);
}

START_TEST(a_thousand_connections_with_what_lingers_keep_no_other_out)
{
	if (!crowd_is_possible())
		return;
	users_broker_start(NULL);
	gates_init();
	pid_t broker = raw_broker_pid();
	pid_t anna = as_user_meanwhile(ANNA, 0, leave_what_lingers, NULL);
	for (int i = 0; i < CROWD / BATCH; i++) {
		raw_broker_stop(broker);
		guard_gate_open(&asleep);
		guard_gate_pass(&attacked);
		MUST(kill(broker, SIGCONT) == 0);
		guard_gate_pass(&attacked);
	}
	as_user(BERT, 0, live_on, NULL);
	guard_gate_open(&served);
	guard_reap(anna);
	gates_fini();
	users_broker_end();
}
END_TEST

/* ---- who comes without pause --------------------------------------------------------------------- */

/* As many as may stand at the door while the broker sleeps, and they are few: who comes next is not behind
 * a thousand of another's. */
static void crowd_the_door(void *arg)
{
	struct sockaddr_un addr;
	int n = 0, conns[2 * BS_BACKLOG];

	(void)arg;
	GIVES(bs_meeting_addr(&addr, raw_socket_path()), 0);
	do {
		MUST(n < 2 * BS_BACKLOG);
		conns[n] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		MUST(conns[n] >= 0);
	} while (connect(conns[n++], (struct sockaddr *)&addr, sizeof(addr)) == 0);
	MUST(errno == EAGAIN);
	guard_gate_open(&attacked);
	guard_gate_pass(&served);
	while (n > 0)
		close(conns[--n]);
}

START_TEST(few_stand_at_the_door_and_the_next_comes_again)
{
	if (!crowd_is_possible())
		return;
	users_broker_start(NULL);
	gates_init();
	pid_t broker = raw_broker_pid();
	raw_broker_stop(broker);
	pid_t anna = as_user_meanwhile(ANNA, 0, crowd_the_door, NULL);
	guard_gate_pass(&attacked);
	pid_t bert = as_user_meanwhile(BERT, 0, live_on, NULL);
	MUST(kill(broker, SIGCONT) == 0);
	guard_reap(bert);
	guard_gate_open(&served);
	guard_reap(anna);
	gates_fini();
	users_broker_end();
}
END_TEST

/* ---- files of a file system that does not answer ------------------------------------------------ */

enum { N_FILES = 80 };

/* In a mount namespace of its own: a file system of one file in @dir. Its descriptor, or -1. */
static int files_mount(const char *dir)
{
	char options[128];
	int dev;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		 dev);
	if (dev < 0 || (mkdir(dir, 0755) < 0 && errno != EEXIST) ||
	    mount("bstream-test", dir, "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		return -1;
	return dev;
}

static void files_answer(int dev, uint64_t unique, const void *bytes, size_t len)
{
	struct fuse_out_header head = { .len = (uint32_t)(sizeof(head) + len), .unique = unique };
	char answer[512];

	memcpy(answer, &head, sizeof(head));
	memcpy(answer + sizeof(head), bytes, len);
	MUST(write(dev, answer, head.len) == (ssize_t)head.len);
}

/* Everything is answered but that somebody closes the file. */
static void files_serve(int dev)
{
	static char room[1 << 17];
	const struct fuse_in_header *in = (const void *)room;

	while (read(dev, room, sizeof(room)) > 0) {
		const struct fuse_attr attr = { .ino = in->nodeid,
						.nlink = 1,
						.mode = in->nodeid == 1 ? S_IFDIR | 0755
									: S_IFREG | 0666 };
		const struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION,
						    .minor = 31,
						    .max_write = 4096 };
		const struct fuse_entry_out entry = {
			.nodeid = 2, .attr = { .ino = 2, .nlink = 1, .mode = S_IFREG | 0666 }
		};
		const struct fuse_attr_out attrs = { .attr = attr };
		const struct fuse_open_out opened = { .fh = 1 };

		if (in->opcode == FUSE_INIT)
			files_answer(dev, in->unique, &init, sizeof(init));
		else if (in->opcode == FUSE_LOOKUP)
			files_answer(dev, in->unique, &entry, sizeof(entry));
		else if (in->opcode == FUSE_GETATTR)
			files_answer(dev, in->unique, &attrs, sizeof(attrs));
		else if (in->opcode == FUSE_OPEN)
			files_answer(dev, in->unique, &opened, sizeof(opened));
	}
}

/* Offered as a stream, again and again; and left in queues. */
static void offer_file(void *arg)
{
	struct bs_req_create create = { .head = { BS_WIRE_MAGIC, BS_WIRE_VERSION, BS_REQ_CREATE,
						  sizeof(create), BS_LAYOUT_VERSION, 0 },
					.name = "s" };
	struct bs_req_name wait = raw_question(BS_REQ_EXISTS, "never", BS_WANT_WAIT);
	int conns[2 * N_FILES], n_refused = 0, fd = open(arg, O_RDWR | O_CLOEXEC);

	MUST(fd >= 0);
	for (int i = 0; i < 2 * N_FILES; i++) {
		int r;

		conns[i] = raw_connect();
		if (i % 2 == 0)
			MUST(raw_send(conns[i], &wait, sizeof(wait), NULL, 0));
		MUST(raw_send(conns[i], &create, sizeof(create), &fd, 1));
		r = raw_result(conns[i], NULL);
		MUST(r == -EPROTO || r == -ENOTCONN);
		n_refused += r == -EPROTO;
	}
	MUST(n_refused > 0);
	guard_gate_open(&attacked);
	pause(); /* to be killed: whoever closes the file waits for ever */
}

/* Becomes a user who has such a file, until @served. */
static void serve_and_offer(bool *failedp)
{
	char dir[160], file[170];
	int dev;
	pid_t server, anna;

	snprintf(dir, sizeof(dir), "%s/files", guard_dir());
	snprintf(file, sizeof(file), "%s/file", dir);
	dev = files_mount(dir);
	*failedp = dev < 0;
	if (dev < 0) {
		printf("skipped: no user-space file system can be mounted: %s\n", strerror(errno));
		guard_gate_open(&attacked);
		return;
	}
	server = guard_fork();
	if (server == 0) {
		files_serve(dev);
		_exit(0);
	}
	close(dev);
	anna = as_user_meanwhile(ANNA, 0, offer_file, file);
	guard_gate_pass(&served);
	MUST(kill(anna, SIGKILL) == 0);
	guard_kill(server);
	guard_kill(anna);
	MUST(umount2(dir, MNT_DETACH) == 0);
	MUST(rmdir(dir) == 0);
}

START_TEST(files_of_a_file_system_that_does_not_answer_keep_nobody_waiting)
{
	bool *failed = guard_shared_new(sizeof(*failed));

	users_broker_start(NULL);
	gates_init();
	pid_t world = guard_fork();
	if (world == 0) {
		serve_and_offer(failed);
		_exit(0);
	}
	guard_gate_pass(&attacked);
	if (!*failed) {
		as_user(BERT, 0, live_on, NULL);
		users_broker_again(NULL); /* killed, it is gone, and another can be where it was */
		as_user(BERT, 0, live_on, NULL);
		guard_gate_open(&served);
	}
	guard_reap(world);
	gates_fini();
	users_broker_end(); /* in order */
	guard_shared_free(failed, sizeof(*failed));
}
END_TEST

/* ---- requests of one who has hung up -------------------------------------------------------------- */

#define N_GONE 100

/* Asks on many connections that the broker knows, while it sleeps, and goes without waiting for answers. */
static void ask_and_go(void *arg)
{
	int conns[N_GONE];

	(void)arg;
	for (int i = 0; i < N_GONE; i++) {
		struct bs_req_name q = raw_question(BS_REQ_SEND, "nobody", 0);

		conns[i] = raw_connect();
		MUST(raw_send(conns[i], &q, sizeof(q), NULL, 0));
		GIVES(raw_result(conns[i], NULL), -ENOENT);
	}
	for (int i = 0; i < N_GONE; i++) {
		char name[16];

		snprintf(name, sizeof(name), "gone/%d", i);
		GIVES(bstream_create(name, NULL), 0);
	}
	guard_gate_open(&attacked);
	guard_gate_pass(&served);
	for (int i = 0; i < N_GONE; i++) {
		char name[16];

		snprintf(name, sizeof(name), "gone/%d", i);
		struct bs_req_name q = raw_question(BS_REQ_REMOVE, name, 0);
		MUST(raw_send(conns[i], &q, sizeof(q), NULL, 0));
		close(conns[i]);
	}
}

START_TEST(who_has_hung_up_is_not_served_out_of_turn)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };
	uint64_t n_left;

	users_broker_start(NULL);
	gates_init();
	pid_t broker = raw_broker_pid();
	pid_t anna = as_user_meanwhile(ANNA, 0, ask_and_go, NULL);
	guard_gate_pass(&attacked);
	raw_broker_stop(broker);
	guard_gate_open(&served);
	guard_reap(anna);
	MUST(kill(broker, SIGCONT) == 0);
	GIVES(bstream_broker_stat(&stat), 0);
	n_left = stat.streams;
	MUST(n_left > N_GONE / 2);
	GIVES(stat.clients, 1); /* all of them were heard to go: in that order */
	gates_fini();
	users_broker_end();
}
END_TEST

/* ---- packets with descriptors ------------------------------------------------------------------- */

#define N_LADEN 8

/* Asks for as many streams at once, on connections that the broker knows, while it sleeps. */
static void create_at_once(void *arg)
{
	int conns[N_LADEN];

	(void)arg;
	for (int i = 0; i < N_LADEN; i++) {
		struct bs_req_name q = raw_question(BS_REQ_SEND, "nobody", 0);

		conns[i] = raw_connect();
		MUST(raw_send(conns[i], &q, sizeof(q), NULL, 0));
		GIVES(raw_result(conns[i], NULL), -ENOENT);
	}
	guard_gate_open(&attacked);
	guard_gate_pass(&asleep);
	for (int i = 0; i < N_LADEN; i++) {
		struct bs_req_create q = { .head = raw_question(BS_REQ_CREATE, "", 0).head };
		int fd;

		q.head.size = sizeof(q);
		snprintf(q.name, sizeof(q.name), "laden/%d", i);
		fd = raw_sealed_segment(q.name);
		MUST(raw_send(conns[i], &q, sizeof(q), &fd, 1));
		close(fd);
	}
	guard_gate_open(&served);
	for (int i = 0; i < N_LADEN; i++) {
		GIVES(raw_result(conns[i], NULL), 0);
		close(conns[i]);
	}
}

START_TEST(of_packets_with_descriptors_few_are_looked_at_before_another_is_served)
{
	struct bs_req_name q = raw_question(BS_REQ_BROKER, "", 0);
	struct bs_reply_broker reply;
	int conn;

	users_broker_start(NULL);
	gates_init();
	pid_t broker = raw_broker_pid();
	pid_t anna = as_user_meanwhile(ANNA, 0, create_at_once, NULL);
	guard_gate_pass(&attacked);
	raw_broker_stop(broker);
	guard_gate_open(&asleep);
	guard_gate_pass(&served);
	q.head.size = sizeof(q.head);
	conn = raw_connect();
	MUST(raw_send(conn, &q, sizeof(q.head), NULL, 0));
	MUST(kill(broker, SIGCONT) == 0);
	GIVES(recv(conn, &reply, sizeof(reply), 0), sizeof(reply));
	MUST(reply.n_streams > 0 && reply.n_streams < N_LADEN);
	close(conn);
	guard_reap(anna);
	gates_fini();
	users_broker_end();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_thousand_connections_with_what_lingers_keep_no_other_out),
		ONCE(few_stand_at_the_door_and_the_next_comes_again),
		ONCE(files_of_a_file_system_that_does_not_answer_keep_nobody_waiting),
		ONCE(who_has_hung_up_is_not_served_out_of_turn),
		ONCE(of_packets_with_descriptors_few_are_looked_at_before_another_is_served),
	};

	guard_need_broker();
	users_need_root();
	return GUARD_RUN("closing", cases);
}
