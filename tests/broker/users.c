/* SPDX-License-Identifier: MIT */
/* users.c - owns the broker that a test has started, until it is ended. */
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/meeting.h"
#include "tests/broker/users.h"

static pid_t broker;

static void become(uid_t uid, gid_t group)
{
	if (setgroups(group != 0, &group) < 0 || setresgid(uid, uid, uid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		_exit(77);
}

void users_need_root(void)
{
	int status = 0;
	pid_t pid;

	if (geteuid() != 0) {
		printf("skipped: only root can play several users\n");
		exit(77);
	}
	pid = fork();
	if (pid == 0) {
		become(ANNA, BAND);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
		printf("skipped: this root cannot become uid %d (a user namespace?)\n", ANNA);
		exit(77);
	}
}

/* Where everybody can get to it. */
static void socket_place(char path[160])
{
	char dir[128];

	snprintf(dir, sizeof(dir), "%s", guard_dir());
	MUST(chmod(dir, 0755) == 0);
	*strrchr(dir, '/') = '\0';
	MUST(chmod(dir, 0755) == 0); /* where the directories of all tests are */
	snprintf(path, 160, "%s/bstream", guard_dir());
	MUST(mkdir(path, 0755) == 0 || errno == EEXIST);
	snprintf(path, 160, "%s/bstream/broker.sock", guard_dir());
}

static void broker_exec(const char *const *options)
{
	/* This machine's own rules are none of ours. */
	const char *argv[32] = { "bstreamd", "--system", "--access", guard_dir() };
	int n = 4;

	while (options && options[n - 4] && n < 31) {
		argv[n] = options[n - 4];
		n++;
	}
	alarm(0);
	execv(getenv("BSTREAM_DAEMON"), (char **)argv);
	_exit(127);
}

static void broker_await(void)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };

	UNTIL(bstream_broker_stat(&stat) == 0 && stat.pid == broker);
}

void users_broker_start(const char *const *options)
{
	char path[160];

	socket_place(path);
	MUST(setenv("BSTREAM_SOCKET", path, 1) == 0);
	GIVES(bstream_broker_use(NULL, BSTREAM_NO_START), 0);
	broker = guard_fork();
	if (broker == 0)
		broker_exec(options);
	broker_await();
}

void users_broker_start_as(uid_t uid)
{
	struct sockaddr_un addr;
	char path[160], pid[16];
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	socket_place(path);
	MUST(setenv("BSTREAM_SOCKET", path, 1) == 0);
	GIVES(bstream_broker_use(NULL, BSTREAM_NO_START), 0);
	GIVES(bs_meeting_addr(&addr, path), 0);
	MUST(listener > 3 && bind(listener, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	MUST(chmod(path, 0666) == 0 && listen(listener, 128) == 0);
	broker = guard_fork();
	if (broker == 0) {
		become(uid, 0);
		snprintf(pid, sizeof(pid), "%d", (int)getpid());
		setenv("LISTEN_PID", pid, 1);
		setenv("LISTEN_FDS", "1", 1);
		if (dup2(listener, 3) != 3)
			_exit(126);
		broker_exec(NULL);
	}
	close(listener);
	broker_await();
}

void users_broker_end(void)
{
	GIVES(bstream_broker_stop(), 0);
	guard_reap(broker);
	unlink(getenv("BSTREAM_SOCKET")); /* a service leaves it */
}

void users_broker_again(const char *const *options)
{
	guard_kill(broker);
	users_broker_start(options);
}

pid_t as_user_meanwhile(uid_t uid, gid_t group, void (*fn)(void *arg), void *arg)
{
	pid_t pid = guard_fork();

	if (pid == 0) {
		become(uid, group);
		fn(arg);
		_exit(0);
	}
	return pid;
}

void as_user(uid_t uid, gid_t group, void (*fn)(void *arg), void *arg)
{
	guard_reap(as_user_meanwhile(uid, group, fn, arg));
}
