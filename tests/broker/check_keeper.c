/* SPDX-License-Identifier: MIT */
/*
 * check_keeper.c - the broker as a service: started with its socket and with the descriptors that were
 * kept for it, and telling how it is. The test plays the service manager's part: a thread of it
 * receives what a broker says, keeps what it is given, and hands it to the next.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/atomic.h"
#include "proto/end.h"
#include "proto/meeting.h"
#include "proto/segment.h"
#include "tests/broker/raw.h"

#define KEPT_MAX 64

struct kept {
	int fd;
	char name[256];
};

static struct manager {
	int listener, notify;
	char path[108], notify_path[108];
	pthread_t thread;
	pthread_mutex_t lock;
	struct kept kept[KEPT_MAX];
	int n_kept, n_ready, n_alive, n_stopping, n_streams; /* the last as STATUS has it */
	bool stop;
} manager = { .lock = PTHREAD_MUTEX_INITIALIZER };

static pid_t broker;
static struct bstream_writer *w;
static struct bstream_reader *r;

/* ---- the manager's part --------------------------------------------------------------------- */

static void kept_drop(const char *name)
{
	for (int i = 0; i < manager.n_kept; i++)
		if (strcmp(manager.kept[i].name, name) == 0) {
			close(manager.kept[i].fd);
			manager.kept[i--] = manager.kept[--manager.n_kept];
		}
}

static void manager_hear(char *text, int fd)
{
	const char *name = strstr(text, "FDNAME="), *status = strstr(text, "STATUS=");

	if (strstr(text, "READY=1"))
		manager.n_ready++;
	if (strstr(text, "WATCHDOG=1"))
		manager.n_alive++;
	if (status)
		manager.n_streams = atoi(status + 7);
	if (strstr(text, "STOPPING=1"))
		manager.n_stopping++;
	if (name && strncmp(text, "FDSTOREREMOVE=1\n", 16) == 0)
		kept_drop(name + 7);
	if (name && fd >= 0 && strncmp(text, "FDSTORE=1\n", 10) == 0 && manager.n_kept < KEPT_MAX) {
		struct kept *k = &manager.kept[manager.n_kept++];

		k->fd = fd;
		snprintf(k->name, sizeof(k->name), "%s", name + 7);
		fd = -1;
	}
	if (fd >= 0)
		close(fd);
}

static void *manager_run(void *arg)
{
	struct pollfd p = { .fd = manager.notify, .events = POLLIN };
	bool stop = false;

	while (!stop || poll(&p, 1, 0) > 0) {
		char text[1024];
		int fd = -1;
		ssize_t n;

		poll(&p, 1, 20);
		n = bs_packet_recv(manager.notify, text, sizeof(text) - 1, &fd, MSG_DONTWAIT);
		pthread_mutex_lock(&manager.lock);
		if (n > 0) {
			text[n] = '\0';
			manager_hear(text, fd);
		}
		stop = manager.stop;
		pthread_mutex_unlock(&manager.lock);
	}
	return arg;
}

static int manager_count(const int *n)
{
	pthread_mutex_lock(&manager.lock);
	int count = *n;
	pthread_mutex_unlock(&manager.lock);
	return count;
}

/* bs_end_held() of the first stream that is kept. */
static int manager_held(uint64_t byte)
{
	pthread_mutex_lock(&manager.lock);
	int held = bs_end_held(manager.kept[0].fd, byte, 1);
	pthread_mutex_unlock(&manager.lock);
	return held;
}

static void manager_begin(void)
{
	struct sockaddr_un addr;

	snprintf(manager.path, sizeof(manager.path), "%s", raw_socket_path());
	manager.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	GIVES(bs_meeting_addr(&addr, manager.path), 0);
	MUST(bind(manager.listener, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	MUST(chmod(manager.path, 0600) == 0 && listen(manager.listener, 128) == 0);
	snprintf(manager.notify_path, sizeof(manager.notify_path), "%s/notify", guard_dir());
	manager.notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	GIVES(bs_meeting_addr(&addr, manager.notify_path), 0);
	MUST(bind(manager.notify, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	manager.stop = false;
	manager.n_ready = manager.n_alive = manager.n_stopping = 0;
	MUST(pthread_create(&manager.thread, NULL, manager_run, NULL) == 0);
	GIVES(bstream_broker_use(NULL, BSTREAM_NO_START), 0);
}

static void manager_end(void)
{
	pthread_mutex_lock(&manager.lock);
	manager.stop = true;
	pthread_mutex_unlock(&manager.lock);
	MUST(pthread_join(manager.thread, NULL) == 0);
	for (int i = 0; i < manager.n_kept; i++)
		close(manager.kept[i].fd);
	manager.n_kept = 0;
	close(manager.listener);
	close(manager.notify);
	unlink(manager.path);
	unlink(manager.notify_path);
}

/* Put the descriptors where a service finds them: 3, 4, …; their names into @names. */
static int give_fds(char *names, size_t size)
{
	int n = 0, at = 100;

	MUST(dup2(manager.listener, at) == at);
	for (int i = 0; i < manager.n_kept; i++)
		MUST(dup2(manager.kept[i].fd, at + 1 + i) == at + 1 + i);
	n = manager.n_kept + 1;
	for (int i = 0; i < n; i++)
		MUST(dup2(at + i, 3 + i) == 3 + i);
	close_range(3 + (unsigned)n, ~0U, 0);
	snprintf(names, size, "bstreamd.socket");
	for (int i = 0; i < manager.n_kept; i++) {
		size_t len = strlen(names);

		snprintf(names + len, size - len, ":%s", manager.kept[i].name);
	}
	return n;
}

static void broker_exec(const char *watchdog_us)
{
	static char names[KEPT_MAX * 256], number[32];
	int n = give_fds(names, sizeof(names));

	snprintf(number, sizeof(number), "%d", n);
	setenv("LISTEN_FDS", number, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	snprintf(number, sizeof(number), "%d", (int)getpid());
	setenv("LISTEN_PID", number, 1);
	setenv("NOTIFY_SOCKET", manager.notify_path, 1);
	if (watchdog_us)
		setenv("WATCHDOG_USEC", watchdog_us, 1);
	alarm(0);
	/* Not where the socket is: that is asked of the socket. */
	execl(getenv("BSTREAM_DAEMON"), "bstreamd", "--idle-timeout", "0", (char *)NULL);
	_exit(127);
}

static void broker_start(const char *watchdog_us)
{
	int before = manager_count(&manager.n_ready);

	pthread_mutex_lock(&manager.lock);
	broker = guard_fork();
	if (broker == 0)
		broker_exec(watchdog_us);
	pthread_mutex_unlock(&manager.lock);
	UNTIL(manager_count(&manager.n_ready) == before + 1);
	GIVES(raw_broker_pid(), broker);
}

/* SIGKILL, and once all it had said has been heard, the next. */
static void broker_again(void)
{
	struct pollfd p = { .fd = manager.notify, .events = POLLIN };

	guard_kill(broker);
	UNTIL(poll(&p, 1, 0) == 0);
	manager_count(&manager.n_kept); /* and dealt with */
	broker_start(NULL);
}

static void broker_stop(void)
{
	GIVES(bstream_broker_stop(), 0);
	guard_reap(broker);
}

static void create_sealed(const char *name)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.capacity = 4;
	o.mode = 0640;
	o.flags = BSTREAM_SEALED;
	GIVES(bstream_create(name, &o), 0);
}

static bool exists(const char *name)
{
	return bstream_wait(name, BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT) == 0;
}

/* ---- tests ---------------------------------------------------------------------------------- */

START_TEST(a_service_serves_the_socket_that_it_was_given_and_leaves_it_there)
{
	manager_begin();
	broker_start(NULL);
	GIVES(bstream_create("n", NULL), 0);
	broker_stop();
	UNTIL(manager_count(&manager.n_stopping) == 1);
	MUST(access(manager.path, F_OK) == 0);
	broker_start(NULL);
	MUST(exists("n"));
	GIVES(bstream_remove("n"), 0);
	broker_stop();
	manager_end();
}
END_TEST

START_TEST(a_crash_keeps_the_names_of_sealed_streams_and_what_they_hold)
{
	struct bstream_stat stat = { .size = sizeof(stat) };

	manager_begin();
	broker_start(NULL);
	create_sealed("s");
	create_sealed("t");
	GIVES(bstream_create("n", NULL), 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "a");
	bstream_writer_close(w);
	UNTIL(manager_count(&manager.n_kept) == 2);
	for (int i = 0; i < 3; i++) {
		broker_again();
		MUST(exists("s") && exists("t") && exists("n"));
		GIVES(manager_count(&manager.n_kept), 2);
	}
	GIVES(bstream_stat("s", &stat), 0);
	GIVES(stat.mode, 0640);
	GIVES(stat.uid, geteuid());
	GIVES(stat.in_flight, 1);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	HEAR(r, "a");
	GIVES(guard_read(r, guard_patience()), 0);
	bstream_reader_close(r);
	UNTIL(!exists("s")); /* over: and forgotten by the manager, too */
	UNTIL(manager_count(&manager.n_kept) == 1);
	GIVES(bstream_remove("t"), 0);
	GIVES(bstream_remove("n"), 0);
	UNTIL(manager_count(&manager.n_kept) == 0);
	broker_stop();
	manager_end();
}
END_TEST

START_TEST(a_stream_in_use_is_kept_and_deaths_are_heard_of_again)
{
	manager_begin();
	broker_start(NULL);
	create_sealed("s");
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	SAY(w, "a");
	UNTIL(manager_count(&manager.n_kept) == 1);
	/* What is kept does not say that a broker stands. */
	guard_kill(broker);
	GIVES(manager_held(BS_BYTE_BROKER), 0);
	broker_start(NULL);
	GIVES(manager_held(BS_BYTE_BROKER), 1);
	SAY(w, "b");
	HEAR(r, "a");
	HEAR(r, "b");
	bstream_writer_close(w);
	GIVES(guard_read(r, guard_patience()), 0);
	bstream_reader_close(r);
	UNTIL(!exists("s"));
	broker_stop();
	manager_end();
}
END_TEST

START_TEST(what_a_peer_scribbles_into_the_header_is_not_what_comes_back)
{
	uint32_t all = 0666, other = 4711;
	struct bstream_stat stat = { .size = sizeof(stat) };

	manager_begin();
	broker_start(NULL);
	create_sealed("s");
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	int fd = bstream_writer_detach(w);
	MUST(pwrite(fd, &all, 4, offsetof(struct bs_header, mode)) == 4);
	MUST(pwrite(fd, &other, 4, offsetof(struct bs_header, uid)) == 4);
	MUST(pwrite(fd, "t", 2, offsetof(struct bs_header, name)) == 2);
	UNTIL(manager_count(&manager.n_kept) == 1);
	broker_again();
	MUST(exists("s") && !exists("t"));
	GIVES(bstream_stat("s", &stat), 0);
	GIVES(stat.mode, 0640);
	GIVES(stat.uid, geteuid());
	close(fd);
	GIVES(bstream_remove("s"), 0);
	broker_stop();
	manager_end();
}
END_TEST

static void keep(const char *name, int fd)
{
	MUST(fd >= 0);
	manager.kept[manager.n_kept].fd = fd;
	snprintf(manager.kept[manager.n_kept].name, sizeof(manager.kept[0].name), "%s", name);
	manager.n_kept++;
}

START_TEST(what_is_no_sealed_stream_is_forgotten)
{
	manager_begin();
	keep("stream.1.0.0.0600.a", memfd_create("a", MFD_CLOEXEC));
	keep("stream.1.0.0.0600.b", open("/dev/null", O_RDWR | O_CLOEXEC));
	keep("stream.1.0.0.0600.c", raw_segment("c"));
	keep("stream.1.0.0.0600./d", raw_sealed_segment("d"));
	keep("stream.1.0.0.0888.e", raw_sealed_segment("e"));
	keep("stream.x.0.0.0600.f", raw_sealed_segment("f"));
	keep("stream.1.-1.0.0600.g", raw_sealed_segment("g"));
	keep("stream.1.0.0.0600", raw_sealed_segment("h"));
	keep("something.else", open("/dev/null", O_RDWR | O_CLOEXEC));
	keep("stream.1.0.0.0600.good", raw_sealed_segment("scribbled"));
	broker_start(NULL);
	UNTIL(manager_count(&manager.n_kept) == 2);
	for (char name[2] = "a"; name[0] <= 'h'; name[0]++)
		MUST(!exists(name));
	MUST(exists("good") && !exists("scribbled"));
	GIVES(bstream_remove("good"), 0);
	broker_stop();
	manager_end();
}
END_TEST

START_TEST(a_watchdog_is_fed)
{
	manager_begin();
	broker_start("20000");
	UNTIL(manager_count(&manager.n_alive) >= 3);
	GIVES(bstream_create("one", NULL), 0);
	UNTIL(manager_count(&manager.n_streams) == 1); /* the status tells how it is by now */
	GIVES(bstream_remove("one"), 0);
	UNTIL(manager_count(&manager.n_streams) == 0);
	broker_stop();
	manager_end();
}
END_TEST

START_TEST(a_broker_started_by_a_service_is_not_that_service)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };

	/* The library starts one in a service, which has these for itself. */
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	setenv("LISTEN_FDS", "1", 1);
	GIVES(bstream_broker_start(), 0);
	GIVES(bstream_broker_stat(&stat), 0);
	GIVES(bstream_broker_stop(), 0);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_service_serves_the_socket_that_it_was_given_and_leaves_it_there),
		ONCE(a_crash_keeps_the_names_of_sealed_streams_and_what_they_hold),
		ONCE(a_stream_in_use_is_kept_and_deaths_are_heard_of_again),
		ONCE(what_a_peer_scribbles_into_the_header_is_not_what_comes_back),
		ONCE(what_is_no_sealed_stream_is_forgotten),
		ONCE(a_watchdog_is_fed),
		ONCE(a_broker_started_by_a_service_is_not_that_service),
	};

	guard_need_broker();
	return GUARD_RUN("keeper", cases);
}
