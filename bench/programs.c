/* SPDX-License-Identifier: MIT */
/*
 * programs.c - finds bstreamd and bstreamctl and runs a private broker.
 *
 * In a build tree they are beside us: daemon/bstreamd and cli/bstreamctl, from the directory above
 * this program's (libtool may have put it one deeper). Installed, $PATH and the library's own idea
 * of where bstreamd is serve.
 */
#include "bench/programs.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/bstream.h"

static char broker_dir[96];
static pid_t system_pid;
static char ctl_path[PATH_MAX], daemon_path[PATH_MAX];

/* Look for @tail in our directory's parents; false: it is not there. */
static bool find_beside(const char *tail, char path[PATH_MAX])
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len <= 0)
		return false;
	self[len] = '\0';
	for (unsigned up = 0; up < 3; up++) {
		char *slash = strrchr(self, '/');

		if (!slash)
			return false;
		*slash = '\0';
		if (snprintf(path, PATH_MAX, "%s/%s", self, tail) < PATH_MAX &&
		    access(path, X_OK) == 0)
			return true;
	}
	return false;
}

const char *programs_ctl(const struct suite *suite)
{
	if (suite->settings.ctl)
		return suite->settings.ctl;
	return find_beside("cli/bstreamctl", ctl_path) ? ctl_path : "bstreamctl";
}

const char *programs_tmp(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && dir[0] == '/' && strlen(dir) <= PROGRAMS_TMP_MAX ? dir : "/tmp";
}

static void find_daemon(const struct suite *suite)
{
	if (suite->settings.daemon)
		setenv("BSTREAM_DAEMON", suite->settings.daemon, 1);
	else if (!getenv("BSTREAM_DAEMON") && find_beside("daemon/bstreamd", daemon_path))
		setenv("BSTREAM_DAEMON", daemon_path, 1);
}

int programs_broker_start(const struct suite *suite)
{
	char socket[128];
	int err;

	if (broker_dir[0])
		return 0;
	snprintf(broker_dir, sizeof(broker_dir), "%s/bstream-bench-XXXXXX", programs_tmp());
	if (!mkdtemp(broker_dir)) {
		broker_dir[0] = '\0';
		return -errno;
	}
	snprintf(socket, sizeof(socket), "%s/broker.sock", broker_dir);
	setenv("BSTREAM_SOCKET", socket, 1);
	find_daemon(suite);
	err = bstream_broker_start();
	if (err >= 0)
		return 0;
	fprintf(stderr, "no broker for the benchmark: %s\n", strerror(-err));
	programs_broker_stop();
	return err;
}

void programs_broker_stop(void)
{
	if (!broker_dir[0])
		return;
	bstream_broker_stop();
	unsetenv("BSTREAM_SOCKET");
	setenv("BROKER_DIR", broker_dir, 1);
	if (system("rm -rf -- \"$BROKER_DIR\"") != 0)
		fprintf(stderr, "%s is left behind\n", broker_dir);
	broker_dir[0] = '\0';
}

/* The one of a whole machine, in the private directory: without rules, and so much for each user that no
 * case is refused. Does not return. */
static void system_run(const char *socket)
{
	const char *daemon = getenv("BSTREAM_DAEMON");

	execlp(daemon ? daemon : "bstreamd", "bstreamd", "--system", "--socket", socket, "--access",
	       broker_dir, "--quota", "streams=200000", "--quota", "bytes=1T", "--quota",
	       "ends=400000", "--quota", "connections=4000", (char *)NULL);
	_exit(127);
}

/* 0: it answers. */
static int system_await(void)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };

	for (int i = 0; i < 5000; i++) {
		if (bstream_broker_stat(&stat) == 0)
			return 0;
		if (waitpid(system_pid, NULL, WNOHANG) == system_pid) {
			system_pid = 0;
			return -ECHILD;
		}
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return -ETIMEDOUT;
}

static void system_use(bool system)
{
	char socket[128];

	snprintf(socket, sizeof(socket), "%s/%s", broker_dir,
		 system ? "system.sock" : "broker.sock");
	setenv("BSTREAM_SOCKET", socket, 1);
	bstream_broker_use(NULL, system ? BSTREAM_SYSTEM | BSTREAM_NO_START : 0);
}

int programs_system_start(void)
{
	int err;

	system_use(true);
	fflush(NULL);
	system_pid = fork();
	if (system_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		system_run(getenv("BSTREAM_SOCKET"));
	}
	err = system_pid < 0 ? -errno : system_await();
	if (err < 0)
		programs_system_stop();
	return err;
}

void programs_system_stop(void)
{
	if (system_pid > 0) {
		if (bstream_broker_stop() < 0)
			kill(system_pid, SIGKILL);
		waitpid(system_pid, NULL, 0);
	}
	system_pid = 0;
	system_use(false);
}
