/* SPDX-License-Identifier: MIT */
/*
 * main.c - bstreamd: options, getting up, and leaving.
 *
 * Started by the library it inherits a listening socket; it then forks, so that it is nobody's
 * child, and its first process says by its exit whether the broker stands. Started by hand it stays
 * in the foreground and makes the socket itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "daemon/access.h"
#include "daemon/broker.h"
#include "daemon/bus.h"
#include "daemon/client.h"
#include "daemon/closer.h"
#include "daemon/dump.h"
#include "daemon/keeper.h"
#include "daemon/log.h"
#include "daemon/mailbox.h"
#include "daemon/notify.h"
#include "daemon/reload.h"
#include "daemon/scan.h"
#include "daemon/socket.h"
#include "daemon/watch.h"
#include "proto/hint.h"
#include "proto/layout.h"
#include "proto/meeting.h"
#include "proto/packet.h"

#define EXIT_USAGE   2
#define EXIT_TAKEN   3 /* another broker serves that socket */
#define IDLE_DEFAULT 30 /* seconds */
#define IDLE_MAX     (10 * 365 * 86400)
#define CLIENTS_MAX  1024
#define STREAMS_MAX  60000 /* each is a mapping, and the kernel gives a process 65530 */
#define FDS_RESERVED 320 /* for ourselves, and what one packet can bring */

struct options {
	const char *socket;
	int listen_fd; /* -1: none is inherited */
	int idle_s; /* 0: never; -1: 30, and never with --system */
	bool system;
	const char *metrics; /* where to tell metrics; NULL: nowhere */
	const char *access; /* the directory of the rules; NULL: with --system the usual one */
	bool check; /* read them, and no more */
	struct accounts *accounts; /* where limits are noted */
};

/* The only one: it has a buffer of 64 kB in it. */
static struct broker broker = { .registry.shm = -1 };

/* ---- options -------------------------------------------------------------------------------- */

static const char help[] =
	"Usage: bstreamd [OPTIONS]\n"
	"The broker of bstream: it knows which stream has which name. Programs start it themselves.\n"
	"\n"
	"  --socket PATH       where to listen (default: $BSTREAM_SOCKET, else\n"
	"                      $XDG_RUNTIME_DIR/bstream/broker.sock)\n"
	"  --system            serve all users of the machine, each by his rights: sealed streams\n"
	"                      only, at /run/bstream/broker.sock\n"
	"  --quota NAME=N      what one user may have: streams, bytes, ends, mailboxes, messages or\n"
	"                      connections; may be given for each\n"
	"  --metrics PATH      tell metrics there, to whoever asks for them by HTTP on a Unix socket\n"
	"  --access DIR        where the rules of who may use which names are (default with --system:\n"
	"                      " ACCESS_DIR "; else there are none)\n"
	"  --check             read the rules, say what is wrong with them, and do no more\n"
	"  --idle-timeout SEC  leave when nothing was held for that long (default 30; 0: never,\n"
	"                      which is the default with --system)\n"
	"  --foreground        do not detach; the default, unless --listen-fd is given\n"
	"  --listen-fd FD      serve this inherited, listening socket, and detach\n"
	"  -h, --help          this text\n"
	"  -V, --version       versions of the program, the wire and the layout\n"
	"\n"
	"Exit status: 0 left in order; 1 failure; 2 wrong usage; 3 another broker is there.\n";

static bool parse_number(const char *text, unsigned long max, unsigned long *np)
{
	char *end;

	errno = 0;
	*np = strtoul(text, &end, 10);
	return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && *np <= max;
}

static int usage_error(const char *what, const char *arg)
{
	fprintf(stderr, "bstreamd: %s: %s (see bstreamd --help)\n", arg, what);
	return EXIT_USAGE;
}

/* One option. -1: go on; else exit with it. */
static int options_take(struct options *o, int option)
{
	unsigned long n;

	switch (option) {
	case 's':
		o->socket = optarg;
		return optarg[0] ? -1 : usage_error("a path is needed", "--socket");
	case 'i':
		if (!parse_number(optarg, IDLE_MAX, &n))
			return usage_error("not a number of seconds", optarg);
		o->idle_s = (int)n;
		return -1;
	case 'l':
		if (!parse_number(optarg, INT_MAX, &n))
			return usage_error("not a descriptor", optarg);
		o->listen_fd = (int)n;
		return -1;
	case 'f':
		return -1;
	case 'a':
		o->access = optarg;
		return optarg[0] == '/' ? -1
					: usage_error("not a path that begins with /", "--access");
	case 'c':
		o->check = true;
		return -1;
	case 'q':
		return accounts_set_limit(o->accounts, optarg)
			       ? -1
			       : usage_error("not a quota (NAME=N)", optarg);
	case 'm':
		o->metrics = optarg;
		return optarg[0] == '/' ? -1
					: usage_error("not a path that begins with /", "--metrics");
	case 'y':
		o->system = true;
		return -1;
	case 'h':
		fputs(help, stdout);
		return EXIT_SUCCESS;
	case 'V':
		printf("bstreamd %s (wire %u, layout %u)\n", PACKAGE_VERSION, BS_WIRE_VERSION,
		       BS_LAYOUT_VERSION);
		return EXIT_SUCCESS;
	default:
		return EXIT_USAGE; /* getopt has said why */
	}
}

static int options_parse(struct options *o, int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "idle-timeout", required_argument, NULL, 'i' },
		{ "listen-fd", required_argument, NULL, 'l' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "system", no_argument, NULL, 'y' },
		{ "quota", required_argument, NULL, 'q' },
		{ "metrics", required_argument, NULL, 'm' },
		{ "access", required_argument, NULL, 'a' },
		{ "check", no_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "hV", long_options, NULL)) != -1) {
		int status = options_take(o, option);

		if (status >= 0)
			return status;
	}
	return optind < argc ? usage_error("takes no arguments", argv[optind]) : -1;
}

/* ---- getting up ----------------------------------------------------------------------------- */

static int on_signal(struct broker *b, struct source *source, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(source->fd, &info, sizeof(info)) <= 0)
		return 0;
	if (info.ssi_signo == SIGCHLD)
		closer_reap();
	else if (info.ssi_signo == SIGUSR1)
		dump(b);
	else if (info.ssi_signo == SIGHUP)
		reload(b);
	else
		b->leaving = true;
	return 0;
}

/* As many descriptors as we may have: one for each stream, each client, each end that is queued. */
static void limits_init(struct limits *l)
{
	struct rlimit rl = { .rlim_cur = 1024, .rlim_max = 1024 };
	rlim_t n, spare;

	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	getrlimit(RLIMIT_NOFILE, &rl);
	n = rl.rlim_cur;
	spare = n > FDS_RESERVED + 64 ? n - FDS_RESERVED : 64;
	l->max_clients = spare / 4 < CLIENTS_MAX ? (uint32_t)(spare / 4) : CLIENTS_MAX;
	l->max_parked = l->max_clients - l->max_clients / 8;
	spare -= l->max_clients;
	/* As many mailboxes as can be full of ends at once in an eighth of all descriptors. */
	l->max_mailboxes = (uint32_t)(n / 8 / MAILBOX_ROOM);
	if (l->max_mailboxes > l->max_clients / 4)
		l->max_mailboxes = l->max_clients / 4;
	spare -= (rlim_t)l->max_mailboxes * MAILBOX_ROOM;
	l->max_streams = spare < STREAMS_MAX ? (uint32_t)spare : STREAMS_MAX;
}

static int signals_open(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGCHLD, SIG_DFL); /* whatever we were started with */
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int source_add(struct broker *b, struct source *s, int fd,
		      int (*on_event)(struct broker *, struct source *, uint32_t))
{
	s->fd = fd < 0 ? -1 : fd;
	s->on_event = on_event;
	return fd < 0 ? fd : loop_add(b, s, EPOLLIN);
}

static int or_errno(int fd)
{
	return fd < 0 ? -errno : fd;
}

static int sources_init(struct broker *b)
{
	int r;

	b->epoll = or_errno(epoll_create1(EPOLL_CLOEXEC));
	if (b->epoll < 0)
		return b->epoll;
	r = source_add(b, &b->signals, signals_open(), on_signal);
	if (r == 0)
		r = source_add(b, &b->inotify, or_errno(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
			       watch_on_event);
	if (r == -EMFILE && b->inotify.fd < 0)
		r = 0; /* the user has too many: slower, not worse (watch.c) */
	if (r == 0) {
		b->listener.on_event = client_on_connect;
		r = client_admit(b);
	}
	return r;
}

/* With the socket in hand: everything else. */
static int broker_init(struct broker *b)
{
	char prefix[STREAM_FILE_SIZE];
	int r;

	b->uid = geteuid();
	b->started_ns = bs_now();
	limits_init(&b->limits);
	post_init(&b->post);
	r = bus_init();
	if (r == 0)
		r = sources_init(b);
	if (r == 0)
		r = bs_meeting_prefix(prefix, sizeof(prefix), b->path);
	if (r == 0)
		r = registry_init(&b->registry, b->inotify.fd, prefix, &b->accounts);
	if (r == 0)
		r = closer_init(b->registry.shm_dev, b->registry.memfd_dev);
	if (r == 0)
		socket_watch(b);
	return r;
}

/* Let the first process go, content or not: nobody waits for the rest. */
static void say_ready(int ready, bool content)
{
	if (ready < 0)
		return;
	while (content && write(ready, "", 1) < 0 && errno == EINTR)
		;
	close(ready);
}

/* In the first process: wait for the second to say that it stands. */
static void await_ready(int from)
{
	char byte;
	ssize_t n;

	do
		n = read(from, &byte, 1);
	while (n < 0 && errno == EINTR);
	_exit(n == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Go on in a second process, nobody's child. @readyp: to be told when the broker stands. */
static int detach(int listen_fd, int *readyp)
{
	int ends[2];
	pid_t pid;

	if (listen_fd < INT_MAX)
		close_range((unsigned)listen_fd + 1, ~0U, 0);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0) {
		close(ends[1]);
		close(listen_fd); /* else who comes after the second's death would queue for nobody */
		await_ready(ends[0]);
	}
	close(ends[0]);
	*readyp = ends[1];
	setsid();
	return 0;
}

/* Descriptors 0 to 2 are open, on /dev/null if on nothing else. */
static int standard_fds_init(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd < 3);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* An inherited socket is not to be one of them: 0 becomes the closer's. */
static int listener_raise(struct options *o)
{
	if (o->listen_fd < 0)
		return 0;
	o->listen_fd = bs_packet_raise(o->listen_fd);
	return o->listen_fd < 0 ? o->listen_fd : 0;
}

static void broker_leave(struct broker *b)
{
	b->leaving = true;
	socket_close(b);
	scrape_close(b);
	client_drop_all(b);
	post_fini(&b->post);
	/* What ended in this very moment needs no next broker to be collected. */
	watch_stir_all(&b->registry);
	watch_run_all(&b->registry);
	registry_fini(&b->registry);
	accounts_fini(&b->accounts);
	rules_fini(&b->rules);
	closer_fini();
}

/* What the service manager gave us: the listening socket, if one is among it, and where that is. The
 * rest stays where it is, or is closed. -1: there is none. */
static int given_sort(int n_given, char path[BS_SOCKET_PATH])
{
	int listener = -1;

	for (int i = 0; i < n_given; i++) {
		int fd = NOTIFY_FIRST_FD + i;

		if (keeper_knows(notify_fd_name(i)))
			continue;
		if (listener < 0 && socket_is_listening(fd, path))
			listener = fd;
		else if (!scrape_inherit(&broker, fd))
			close(fd);
	}
	return listener;
}

/* The streams that it has kept. */
static int given_take_back(struct broker *b, int n_given)
{
	int r = 0;

	for (int i = 0; i < n_given && r == 0; i++)
		if (keeper_knows(notify_fd_name(i)))
			r = keeper_take_back(b, notify_fd_name(i), NOTIFY_FIRST_FD + i);
	watch_run_all(&b->registry);
	return r;
}

static void say_serving(struct broker *b)
{
	loop_say(b, "READY=1");
	log_say(LOG_INFO, "%s (wire %u, layout %u) serves %s, streams found: %u", PACKAGE_VERSION,
		BS_WIRE_VERSION, BS_LAYOUT_VERSION, b->path, b->registry.n_streams);
	b->watchdog_ns = notify_watchdog_ns();
}

static uint64_t idle_time(const struct options *o)
{
	if (o->idle_s >= 0)
		return (uint64_t)o->idle_s;
	return o->system ? 0 : IDLE_DEFAULT;
}

static int run(struct broker *b, const struct options *o)
{
	char path[BS_SOCKET_PATH];
	int ready = -1, n_given = 0, listener = o->listen_fd, r = 0;

	b->system = o->system;
	if (b->system)
		accounts_set_defaults(&b->accounts);
	umask(o->system ? 0 : 077); /* nothing but a socket is made */
	if (r == 0 && o->listen_fd >= 0)
		r = detach(o->listen_fd, &ready);
	else
		n_given = notify_init();
	if (n_given > 0)
		listener = given_sort(n_given, path);
	b->activated = o->listen_fd < 0 && listener >= 0;
	if (r == 0 && !b->activated)
		r = bs_meeting_path(path, o->socket, o->system, true);
	if (r == 0)
		r = socket_open(b, path, listener);
	if (r < 0)
		return r;
	b->idle_ns = idle_time(o) * UINT64_C(1000000000);
	r = chdir("/") < 0 ? -errno : broker_init(b);
	if (r == 0 && o->metrics) {
		r = scrape_open(b, o->metrics);
		b->scraping.failed = r < 0;
	}
	if (r == 0)
		r = scrape_listen(b);
	say_ready(ready, r == 0); /* clients may come; they wait while we look what is there */
	if (r == 0)
		r = scan_streams(b);
	if (r == 0)
		r = given_take_back(b, n_given);
	if (r == 0) {
		say_serving(b);
		r = loop_run(b);
		log_flush();
		log_say(LOG_INFO, "leaves %s, streams left: %u", b->path, b->registry.n_streams);
	}
	notify_say("STOPPING=1");
	broker_leave(b);
	return r;
}

/* --check: what a start would say. */
static int check(struct broker *b)
{
	if (!b->rules_dir)
		return usage_error("needs --system or --access", "--check");
	if (!reload_first(b))
		return EXIT_FAILURE;
	printf("%s: nothing wrong, %zu rule%s\n", b->rules_dir, b->rules.n,
	       b->rules.n == 1 ? "" : "s");
	rules_fini(&b->rules);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options options = { .listen_fd = -1, .idle_s = -1, .accounts = &broker.accounts };
	int r, status;

	log_init();
	accounts_init(&broker.accounts);
	status = options_parse(&options, argc, argv);

	if (status >= 0)
		return status;
	reload_place(&broker, options.access, options.system);
	if (options.check)
		return check(&broker);
	r = listener_raise(&options);
	if (r == 0)
		r = standard_fds_init();
	if (r == 0 && !reload_first(&broker))
		return EXIT_FAILURE; /* it has said why */
	if (r == 0)
		r = run(&broker, &options);
	if (r == 0)
		return EXIT_SUCCESS;
	if (broker.scraping.failed) {
		log_say(LOG_ERR, "%s: %s", options.metrics, strerror(-r));
		return EXIT_FAILURE;
	}
	log_say(LOG_ERR, "%s%s%s", broker.path, broker.path[0] ? ": " : "",
		r == -EADDRINUSE ? "another broker is serving this socket" : strerror(-r));
	return r == -EADDRINUSE ? EXIT_TAKEN : EXIT_FAILURE;
}
