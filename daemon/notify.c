/* SPDX-License-Identifier: MIT */
/*
 * notify.c - owns the socket to the service manager.
 *
 * The protocol is systemd's, which promises to keep it (sd_notify(3), sd_listen_fds(3)): a datagram of
 * lines, a descriptor with it, a few variables. That is less than a library would be. The manager
 * is trusted: it has started us.
 *
 * A datagram may have to wait for room in the manager's queue. It waits a second at most; whoever has
 * something that must arrive tries again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/notify.h"
#include "proto/packet.h"

#define PATIENCE_S 1

static int manager = -1;
static char *names, *names_end; /* of the descriptors, each ended by a NUL */
static uint64_t watchdog_ns;

static uint64_t variable_number(const char *variable)
{
	const char *text = getenv(variable);
	char *end;

	if (!text || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0' ? n : 0;
}

/* Is it about this very process? */
static bool is_for_us(const char *variable)
{
	return !getenv(variable) || variable_number(variable) == (uint64_t)getpid();
}

static void manager_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = PATIENCE_S };
	size_t len = path ? strlen(path) : 0;

	if (len < 2 || len >= sizeof(addr.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(addr.sun_path, path, len);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (manager >= 0 &&
	    (setsockopt(manager, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	     connect(manager, (struct sockaddr *)&addr,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)) {
		close(manager);
		manager = -1;
	}
}

static int fds_count(void)
{
	uint64_t n =
		getenv("LISTEN_PID") && is_for_us("LISTEN_PID") ? variable_number("LISTEN_FDS") : 0;
	int i = 0;

	while ((uint64_t)i < n && fcntl(NOTIFY_FIRST_FD + i, F_SETFD, FD_CLOEXEC) == 0)
		i++;
	return i;
}

int notify_init(void)
{
	const char *given = getenv("LISTEN_FDNAMES");
	int n = fds_count();

	if (n > 0 && given)
		names = strdup(given);
	names_end = names ? names + strlen(names) : NULL;
	for (char *c = names; c < names_end; c++)
		if (*c == ':')
			*c = '\0';
	manager_open();
	if (is_for_us("WATCHDOG_PID"))
		watchdog_ns = variable_number("WATCHDOG_USEC") * 1000;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	return n;
}

const char *notify_fd_name(int i)
{
	const char *name = names;

	while (name && i > 0 && name < names_end) {
		name += strlen(name) + 1;
		i--;
	}
	return name && i == 0 && name < names_end ? name : "";
}

bool notify_is_heard(void)
{
	return manager >= 0;
}

static bool notify_send(const char *text, int fd)
{
	return manager >= 0 && bs_packet_send(manager, text, strlen(text), fd, 0) == 0;
}

bool notify_say(const char *text)
{
	return notify_send(text, -1);
}

bool notify_keep(const char *name, int fd)
{
	char text[64 + NOTIFY_NAME_MAX];

	/* FDPOLL=0: a file does not hang up. */
	snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	return notify_send(text, fd);
}

bool notify_forget(const char *name)
{
	char text[64 + NOTIFY_NAME_MAX];

	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	return notify_send(text, -1);
}

uint64_t notify_watchdog_ns(void)
{
	return manager >= 0 ? watchdog_ns : 0;
}
