/* SPDX-License-Identifier: MIT */
/*
 * check_metrics.c - those who read the broker's metrics, well-behaved and other; and what stands in the
 * text when segments lie. tests/cli/metrics.bats has a strict parser read all of it.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/layout.h"
#include "proto/meeting.h"
#include "proto/segment.h"
#include "tests/broker/raw.h"

#define TEXT_MAX  (1 << 20)
#define GET	  "GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n"
#define N_STALLED 20
#define N_NAMED	  100

static char *text; /* what was read last */

static const char *metrics_path(void)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/metrics", guard_dir());
	return path;
}

static pid_t broker_start(void)
{
	return raw_broker_start("--metrics", metrics_path());
}

static void broker_end(pid_t pid)
{
	GIVES(bstream_broker_stop(), 0);
	MUST(waitpid(pid, NULL, 0) == pid);
	MUST(access(metrics_path(), F_OK) < 0); /* it has taken its socket away */
	free(text);
	text = NULL;
}

static int scraper(void)
{
	struct timeval patience = { .tv_sec = 30 * (time_t)guard_slowness() };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr;

	MUST(fd >= 0);
	MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
	GIVES(bs_meeting_addr(&addr, metrics_path()), 0);
	MUST(connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	return fd;
}

/* All that comes from @fd, to its end, into text; and close it. -ECONNRESET counts as the end. */
static size_t hear_all(int fd)
{
	size_t len = 0;
	ssize_t n;

	if (!text)
		text = malloc(TEXT_MAX);
	MUST(text != NULL);
	while ((n = read(fd, text + len, TEXT_MAX - 1 - len)) > 0)
		len += (size_t)n;
	MUST(n == 0 || errno == ECONNRESET);
	text[len] = '\0';
	close(fd);
	return len;
}

static bool ends_well(size_t len)
{
	return len > 6 && strcmp(text + len - 6, "# EOF\n") == 0;
}

/* What is answered to @request. */
static size_t ask(const char *request, size_t len)
{
	int fd = scraper();

	MUST(send(fd, request, len, MSG_NOSIGNAL) == (ssize_t)len);
	return hear_all(fd);
}

static bool answers(const char *request, const char *status)
{
	ask(request, strlen(request));
	return strncmp(text, status, strlen(status)) == 0;
}

static void scrape(void)
{
	MUST(ends_well(ask(GET, strlen(GET))));
}

/* The same while others ask: one may be sent away. */
static bool scrape_among_others(void)
{
	int fd = scraper();

	if (send(fd, GET, strlen(GET), MSG_NOSIGNAL) < 0) {
		MUST(errno == EPIPE || errno == ECONNRESET);
		close(fd);
		return false;
	}
	return ends_well(hear_all(fd));
}

/* The value behind "@series ", which must be there. */
static uint64_t value_of(const char *series)
{
	char line[512];
	const char *at;

	snprintf(line, sizeof(line), "\n%s ", series);
	at = strstr(text, line);
	if (!at)
		guard_fail(__FILE__, __LINE__, "no %s", series);
	return strtoull(at + strlen(line), NULL, 10);
}

static unsigned count_of(const char *part)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, part)); at++)
		n++;
	return n;
}

START_TEST(a_get_is_answered_with_the_text_and_its_length)
{
	pid_t pid = broker_start();
	struct stat st;
	size_t len;
	const char *body, *says;

	MUST(stat(metrics_path(), &st) == 0 && (st.st_mode & 0777) == 0600);
	len = ask(GET, strlen(GET));
	MUST(strncmp(text, "HTTP/1.0 200 OK\r\n", 17) == 0 && ends_well(len));
	MUST(strstr(text, "Content-Type: application/openmetrics-text; version=1.0.0;"));
	body = strstr(text, "\r\n\r\n");
	says = strstr(text, "Content-Length: ");
	MUST(body && says && says < body);
	MUST(strtoul(says + 16, NULL, 10) == len - (size_t)(body + 4 - text));
	MUST(ends_well(ask("GET / HTTP/1.0\n\n", 16)));
	broker_end(pid);
}
END_TEST

START_TEST(what_is_no_get_of_it_is_told_so)
{
	pid_t pid = broker_start();
	char flood[8192];

	MUST(answers("GET /other HTTP/1.0\r\n\r\n", "HTTP/1.0 404 "));
	MUST(answers("POST /metrics HTTP/1.0\r\n\r\n", "HTTP/1.0 405 "));
	MUST(strstr(text, "\r\nAllow: GET, HEAD\r\n"));
	MUST(answers("hello\r\n\r\n", "HTTP/1.0 400 "));
	MUST(answers("GET /metrics SMTP\r\n\r\n", "HTTP/1.0 400 "));
	MUST(answers("HEAD /metrics HTTP/1.0\r\n\r\n", "HTTP/1.0 200 "));
	MUST(strstr(text, "\r\n\r\n")[4] == '\0');
	ask("GET\0/metrics HTTP/1.0\r\n\r\n", 25);
	MUST(strncmp(text, "HTTP/1.0 400 ", 13) == 0);
	memset(flood, 'x', sizeof(flood));
	ask(flood, 4095);
	MUST(strncmp(text, "HTTP/1.0 431 ", 13) == 0);
	ask(flood, sizeof(flood)); /* cut off in the middle: what it hears is its own affair */
	scrape();
	broker_end(pid);
}
END_TEST

START_TEST(a_request_may_come_byte_by_byte)
{
	pid_t pid = broker_start();
	int fd = scraper();

	for (const char *c = GET; *c != '\0'; c++)
		MUST(send(fd, c, 1, MSG_NOSIGNAL) == 1);
	MUST(ends_well(hear_all(fd)));
	broker_end(pid);
}
END_TEST

START_TEST(who_stalls_or_floods_is_in_nobodys_way)
{
	pid_t pid = broker_start();
	int silent[N_STALLED], deaf[N_STALLED];

	for (int i = 0; i < N_STALLED; i++) {
		silent[i] = scraper();
		deaf[i] = scraper();
		if (send(deaf[i], GET, strlen(GET), MSG_NOSIGNAL) < 0)
			MUST(errno == EPIPE); /* it had to go already */
		GIVES(raw_ask(BS_REQ_STAT, "nobody", 0, NULL), -ENOENT);
	}
	for (int i = 0; i < N_STALLED; i++)
		UNTIL(scrape_among_others());
	for (int i = 0; i < N_STALLED; i++) {
		close(silent[i]);
		close(deaf[i]);
	}
	UNTIL(scrape_among_others());
	broker_end(pid);
}
END_TEST

static void flood(const atomic_bool *over)
{
	while (!atomic_load(over)) {
		int fd = scraper();

		if (send(fd, GET, strlen(GET), MSG_NOSIGNAL) < 0)
			MUST(errno == EPIPE || errno == ECONNRESET);
		close(fd);
	}
	_exit(0);
}

START_TEST(of_many_that_ask_without_pause_some_are_told)
{
	pid_t pid = broker_start(), others[4];
	atomic_bool *over = guard_shared_new(sizeof(*over));

	for (int i = 0; i < 4; i++) {
		others[i] = guard_fork();
		if (others[i] == 0)
			flood(over);
	}
	for (int i = 0; i < 10; i++) {
		UNTIL(scrape_among_others());
		GIVES(raw_ask(BS_REQ_STAT, "nobody", 0, NULL), -ENOENT);
	}
	atomic_store(over, true);
	for (int i = 0; i < 4; i++)
		guard_reap(others[i]);
	guard_shared_free(over, sizeof(*over));
	UNTIL(scrape_among_others());
	broker_end(pid);
}
END_TEST

START_TEST(descriptors_that_are_sent_cost_the_connection)
{
	pid_t pid = broker_start();
	int fd = scraper(), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int many[3] = { null, null, null };

	MUST(null >= 0 && raw_send(fd, GET, strlen(GET), many, 3));
	GIVES(hear_all(fd), 0);
	fd = scraper();
	MUST(send(fd, "GET ", 4, MSG_NOSIGNAL) == 4);
	MUST(raw_send(fd, GET, strlen(GET), many, 1));
	hear_all(fd);
	close(null);
	scrape();
	broker_end(pid);
}
END_TEST

START_TEST(the_library_is_told_the_same)
{
	pid_t pid = broker_start();
	int fd;

	GIVES(bstream_broker_metrics(&fd), 0);
	MUST(ends_well(hear_all(fd)));
	GIVES(value_of("bstream_requests_total{request=\"metrics\"}"), 1);
	/* One that is not read, and one whose reader goes at once. */
	GIVES(bstream_broker_metrics(&fd), 0);
	close(fd);
	for (int i = 0; i < 3 * N_STALLED; i++) {
		int unread;

		GIVES(bstream_broker_metrics(&unread), 0);
		close(unread);
	}
	scrape();
	broker_end(pid);
}
END_TEST

static void streams_make(unsigned n)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;
	char name[64];

	o.capacity = 1;
	o.chunk_max = 16;
	o.max_writers = 1;
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "many/%03u", i);
		GIVES(bstream_create(name, &o), 0);
	}
}

static void stream_remove(unsigned i)
{
	char name[64];

	snprintf(name, sizeof(name), "many/%03u", i);
	GIVES(bstream_remove(name), 0);
}

static void stream_write(const char *name)
{
	struct bstream_writer *w;

	GIVES(bstream_open_writer(name, BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "four");
	bstream_writer_close(w);
}

#define WRITTEN "bstream_stream_written_chunks_total"

START_TEST(a_hundred_streams_have_names_and_the_others_one_series)
{
	pid_t pid = broker_start();

	streams_make(N_NAMED + 20);
	stream_write("many/003");
	stream_write("many/110");
	stream_write("many/111");
	scrape();
	GIVES(count_of("\n" WRITTEN "{"), N_NAMED + 1);
	GIVES(value_of(WRITTEN "{stream=\"many/003\"}"), 1);
	GIVES(value_of(WRITTEN "{stream=\"*\"}"), 2);
	GIVES(value_of("bstream_stream_written_bytes_total{stream=\"*\"}"), 8);
	GIVES(value_of("bstream_streams"), N_NAMED + 20);
	/* What has gone is counted with the others, so that no sum falls. */
	GIVES(bstream_remove("many/003"), 0);
	GIVES(bstream_remove("many/110"), 0);
	scrape();
	GIVES(count_of("\n" WRITTEN "{"), N_NAMED);
	GIVES(value_of(WRITTEN "{stream=\"*\"}"), 3);
	for (unsigned i = 0; i < N_NAMED + 20; i++)
		if (i != 3 && i != 110)
			stream_remove(i);
	scrape();
	GIVES(count_of("\n" WRITTEN "{"), 1);
	broker_end(pid);
}
END_TEST

/* Write this number into all figures of a segment. */
static void segment_scribble(const char *name, uint64_t value)
{
	struct bstream_writer *w;
	struct bs_segment *g;
	int fd;

	GIVES(bstream_open_writer(name, BSTREAM_DONT_WAIT, &w), 0);
	fd = bstream_writer_detach(w);
	MUST(fd >= 0);
	g = mmap(NULL, sizeof(*g), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(g != MAP_FAILED);
	atomic_store(&g->totals.chunks, value);
	atomic_store(&g->totals.bytes, value);
	atomic_store(&g->totals.waits, value);
	atomic_store(&g->reader.chunks, value);
	atomic_store(&g->reader.abandoned, value);
	atomic_store(&g->head.count, value);
	munmap(g, sizeof(*g));
	GIVES(bstream_writer_attach(fd, &w), 0);
	bstream_writer_close(w);
}

START_TEST(no_counter_falls_or_leaps_whatever_is_in_the_segment)
{
	static const uint64_t values[] = { 7, 0, UINT64_MAX, 1, UINT64_C(1) << 63, 2 };
	struct bstream_options o = BSTREAM_OPTIONS_INIT;
	uint64_t last = 0, last_others = 0, a_year = UINT64_C(365) * 86400 * 1000000000;
	pid_t pid = broker_start();

	o.keep = BSTREAM_KEEP_WRITERS;
	GIVES(bstream_create("liar", &o), 0);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		uint64_t now;

		segment_scribble("liar", values[i]);
		scrape();
		now = value_of(WRITTEN "{stream=\"liar\"}");
		MUST(now >= last && now < a_year);
		last = now;
		MUST(value_of("bstream_stream_in_flight_chunks{stream=\"liar\"}") <= 16);
		MUST(value_of("bstream_stream_abandoned_chunks_total{stream=\"liar\"}") < a_year);
		MUST(value_of(WRITTEN "{stream=\"*\"}") >= last_others);
		last_others = value_of(WRITTEN "{stream=\"*\"}");
	}
	MUST(last >= 7);
	GIVES(bstream_remove("liar"), 0);
	scrape();
	MUST(value_of(WRITTEN "{stream=\"*\"}") >= last);
	broker_end(pid);
}
END_TEST

START_TEST(a_writer_that_waits_for_a_second_is_stalled)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;
	struct bstream_writer *w, *waiter;
	pid_t pid = broker_start(), writer;

	o.capacity = 1;
	GIVES(bstream_create("full", &o), 0);
	GIVES(bstream_open_writer("full", BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "four");
	writer = guard_fork();
	if (writer == 0) {
		GIVES(bstream_open_writer("full", BSTREAM_DONT_WAIT, &waiter), 0);
		bstream_write(waiter, "more", 4, BSTREAM_FOREVER);
		_exit(1);
	}
	UNTIL((scrape(), value_of("bstream_stream_stalled_writers{stream=\"full\"}")) == 1);
	MUST(value_of("bstream_stream_stall_seconds{stream=\"full\"}") >= 1);
	guard_kill(writer);
	UNTIL((scrape(), value_of("bstream_stream_stalled_writers{stream=\"full\"}")) == 0);
	bstream_writer_close(w);
	GIVES(bstream_remove("full"), 0);
	broker_end(pid);
}
END_TEST

START_TEST(a_place_that_is_taken_is_refused_and_left_alone)
{
	pid_t pid = broker_start(), other;
	const char *daemon = getenv("BSTREAM_DAEMON");
	char socket[300];
	int status;

	snprintf(socket, sizeof(socket), "%s/other", guard_dir());
	other = guard_fork();
	if (other == 0) {
		MUST(freopen("/dev/null", "w", stderr) != NULL);
		execl(daemon, "bstreamd", "--socket", socket, "--metrics", metrics_path(),
		      (char *)NULL);
		_exit(127);
	}
	MUST(waitpid(other, &status, 0) == other && WIFEXITED(status) && WEXITSTATUS(status) == 1);
	scrape();
	broker_end(pid);
}
END_TEST

START_TEST(what_a_killed_broker_left_is_replaced)
{
	pid_t pid = broker_start();

	guard_kill(pid);
	MUST(access(metrics_path(), F_OK) == 0);
	pid = broker_start();
	scrape();
	broker_end(pid);
}
END_TEST

/* A listening socket such as the service manager makes. */
static int listener_make(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr;

	MUST(fd >= 0);
	GIVES(bs_meeting_addr(&addr, metrics_path()), 0);
	MUST(bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 && listen(fd, 16) == 0);
	return fd;
}

START_TEST(a_socket_of_the_service_managers_is_served_and_stays)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };
	int fd = listener_make();
	char number[32];
	pid_t pid = guard_fork();

	if (pid == 0) {
		alarm(0);
		MUST(dup2(fd, 3) == 3 && fcntl(3, F_SETFD, 0) == 0);
		snprintf(number, sizeof(number), "%d", (int)getpid());
		setenv("LISTEN_PID", number, 1);
		setenv("LISTEN_FDS", "1", 1);
		setenv("LISTEN_FDNAMES", "metrics", 1);
		execl(getenv("BSTREAM_DAEMON"), "bstreamd", "--foreground", (char *)NULL);
		_exit(127);
	}
	close(fd);
	UNTIL(bstream_broker_stat(&stat) == 0);
	scrape();
	GIVES(bstream_broker_stop(), 0);
	MUST(waitpid(pid, NULL, 0) == pid);
	MUST(unlink(metrics_path()) == 0);
	free(text);
	text = NULL;
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_get_is_answered_with_the_text_and_its_length),
		ONCE(what_is_no_get_of_it_is_told_so),
		ONCE(a_request_may_come_byte_by_byte),
		ONCE(who_stalls_or_floods_is_in_nobodys_way),
		ONCE(of_many_that_ask_without_pause_some_are_told),
		ONCE(descriptors_that_are_sent_cost_the_connection),
		ONCE(the_library_is_told_the_same),
		ONCE(a_hundred_streams_have_names_and_the_others_one_series),
		ONCE(no_counter_falls_or_leaps_whatever_is_in_the_segment),
		ONCE(a_writer_that_waits_for_a_second_is_stalled),
		ONCE(a_place_that_is_taken_is_refused_and_left_alone),
		ONCE(what_a_killed_broker_left_is_replaced),
		ONCE(a_socket_of_the_service_managers_is_served_and_stays),
	};

	guard_need_broker();
	return GUARD_RUN("broker/metrics", cases);
}
