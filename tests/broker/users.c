/* SPDX-License-Identifier: MIT */
/* users.c - owns the broker that a test has started, until it is ended. */
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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
	const char *argv[32] = { "bstreamd", "--system" };
	int n = 2;

	while (options && options[n - 2] && n < 31) {
		argv[n] = options[n - 2];
		n++;
	}
	alarm(0);
	execv(getenv("BSTREAM_DAEMON"), (char **)argv);
	_exit(127);
}

void users_broker_start(const char *const *options)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };
	char path[160];

	socket_place(path);
	MUST(setenv("BSTREAM_SOCKET", path, 1) == 0);
	GIVES(bstream_broker_use(NULL, BSTREAM_NO_START), 0);
	broker = guard_fork();
	if (broker == 0)
		broker_exec(options);
	UNTIL(bstream_broker_stat(&stat) == 0);
	GIVES(stat.pid, broker);
}

void users_broker_end(void)
{
	GIVES(bstream_broker_stop(), 0);
	guard_reap(broker);
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
