/* SPDX-License-Identifier: MIT */
/*
 * verb_listen.c - owns the verb listen: a mailbox, and a job for each message that comes.
 *
 * A job is a thread. With a command it runs that and moves the stream into its stdin, without one it
 * puts the stream out on stdout, chunk by chunk, as the others do at the same time. The main thread
 * receives, never more than there are jobs free for, so that what cannot be served yet stays in the
 * mailbox. SIGQUIT is blocked in every thread and comes as something to read, wherever the main thread
 * waits: it is as if --count were reached. Other signals do to us what they do to cat. Notes come from
 * anybody: they reach a command only as a variable, and a terminal only without their control bytes.
 */
#include "config.h"
#include "bstream.h"
#include "command.h"
#include "creation.h"
#include "json_line.h"
#include "outcome.h"
#include "pour.h"
#include "say.h"
#include "units.h"
#include "verb.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	uint64_t count;
	uint32_t n_jobs;
	struct framing framing;
	const char *mailbox;
	uint32_t mode, gid;
	char *const *command; /* NULL: none */
	bool json;
	sigset_t mask; /* as we were started with it */
	int told_fd; /* readable when SIGQUIT has come; -1: it has been heard, or is of no interest now */
	int ended_fd; /* readable when a job has ended since it was last read */
	pthread_mutex_t output; /* held while a chunk or a message goes to stdout */
	pthread_mutex_t lock; /* of what follows */
	uint32_t n_running;
	bool failed;
} work = { .count = UINT64_MAX,
	   .n_jobs = 1,
	   .mode = 0600,
	   .output = PTHREAD_MUTEX_INITIALIZER,
	   .told_fd = -1,
	   .ended_fd = -1,
	   .lock = PTHREAD_MUTEX_INITIALIZER };

/* One message with something to do. Made by the main thread, then its own thread's. */
struct job {
	struct bstream_reader *reader; /* NULL: none came */
	char **environment; /* the command's: variables of its own in front of ours, borrowed */
	char note[sizeof("BSTREAM_NOTE=") + BSTREAM_NOTE_MAX];
	char pid[32], uid[32];
};

static const struct option_row listen_options[] = {
	{ .name = "count",
	  .kind = OPTION_COUNT,
	  .arg = "N",
	  .to = &work.count,
	  .help = "leave after so many messages, when the last job has ended" },
	{ .name = "jobs",
	  .kind = OPTION_NUMBER,
	  .arg = "N",
	  .to = &work.n_jobs,
	  .help = "serve so many messages at once (default 1)" },
	{ .name = "mode",
	  .kind = OPTION_OWN,
	  .arg = "OCTAL",
	  .to = &work.mode,
	  .take = creation_take_mode,
	  .help = "who may send there, by w (default 0600)" },
	{ .name = "group",
	  .kind = OPTION_OWN,
	  .arg = "GROUP",
	  .to = &work.gid,
	  .take = creation_take_group,
	  .help = "the group that --mode speaks of (default: your own)" },
	FRAMING_OPTION_OUT(work.framing),
	{ 0 },
};

static void job_failed(void)
{
	pthread_mutex_lock(&work.lock);
	work.failed = true;
	pthread_mutex_unlock(&work.lock);
}

static void job_free(struct job *job)
{
	bstream_reader_close(job->reader);
	free(job->environment);
	free(job);
}

/* ---- A job with a command. ---- */

/* Our environment, but for the variables that every message brings. Returns 0 or -ENOMEM. */
static int environment_make(struct job *job, const struct bstream_message *message)
{
	static const char *const ours[] = { "BSTREAM_NOTE=", "BSTREAM_PID=", "BSTREAM_UID=",
					    "BSTREAM_FDS=" };
	size_t n = 0, at = 3;

	while (environ[n])
		n++;
	job->environment = calloc(n + at + 1, sizeof(*job->environment));
	if (!job->environment)
		return -ENOMEM;
	snprintf(job->note, sizeof(job->note), "BSTREAM_NOTE=%.*s", (int)message->len,
		 (const char *)message->note);
	snprintf(job->pid, sizeof(job->pid), "BSTREAM_PID=%jd", (intmax_t)message->pid);
	snprintf(job->uid, sizeof(job->uid), "BSTREAM_UID=%ju", (uintmax_t)message->uid);
	job->environment[0] = job->note;
	job->environment[1] = job->pid;
	job->environment[2] = job->uid;
	for (char **variable = environ; *variable; variable++) {
		bool replaced = false;

		for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
			replaced |= !strncmp(*variable, ours[i], strlen(ours[i]));
		if (!replaced)
			job->environment[at++] = *variable;
	}
	return 0;
}

/* What the command reads from, and what we write to, -1 if nothing comes. Returns 0 or -errno. */
static int stdin_make(bool piped, int *theirsp, int *oursp)
{
	int fds[2];

	*oursp = -1;
	if (!piped) {
		*theirsp = open("/dev/null", O_RDONLY | O_CLOEXEC);
		return *theirsp < 0 ? -errno : 0;
	}
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	*theirsp = fds[0];
	*oursp = fds[1];
	return 0;
}

/* Says it if the command has failed. Returns whether it has. */
static bool status_failed(const struct job *job, int status)
{
	char note[80];

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return false;
	say_safely(note, sizeof(note), job->note + strlen("BSTREAM_NOTE="));
	if (WIFSIGNALED(status))
		say_failure(work.mailbox, "%s was killed by signal %d (its note: '%s')",
			    work.command[0], WTERMSIG(status), note);
	else
		say_failure(work.mailbox, "%s exited %d (its note: '%s')", work.command[0],
			    WEXITSTATUS(status), note);
	return true;
}

static bool job_pour(struct job *job, int fd, const char *path)
{
	const struct pour pour = { .reader = job->reader,
				   .name = work.mailbox,
				   .framing = work.framing,
				   .timeout_ns = NO_TIMEOUT,
				   .count = UINT64_MAX,
				   .fd = fd,
				   .path = path,
				   .lock = path ? &work.output : NULL };

	return pour_all(&pour) == CODE_DONE;
}

/* Returns whether all went well. */
static bool job_command(struct job *job)
{
	struct command command = { .argv = work.command,
				   .environment = job->environment,
				   .stdout_fd = -1,
				   .mask = &work.mask };
	int status, to = -1, r = stdin_make(job->reader, &command.stdin_fd, &to);
	bool well;
	pid_t pid;

	if (r < 0) {
		say_failure(work.mailbox, "no pipe: %s", strerror(-r));
		return false;
	}
	well = command_start(&command, &pid) == CODE_DONE;
	close(command.stdin_fd);
	if (!well) {
		if (to >= 0)
			close(to);
		return false;
	}
	if (to >= 0) {
		well = job_pour(job, to, NULL);
		bstream_reader_close(job->reader);
		job->reader = NULL;
		close(to);
	}
	while ((r = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
		;
	return !(r < 0 || status_failed(job, status)) && well;
}

static void *job_run(void *arg)
{
	struct job *job = arg;
	bool well;

	if (work.command) {
		sigset_t set;

		/* A pipe that the command does not read is seen from EPIPE; stdout is another matter. */
		sigemptyset(&set);
		sigaddset(&set, SIGPIPE);
		pthread_sigmask(SIG_BLOCK, &set, NULL);
		well = job_command(job);
	} else {
		well = work.json ? job_pour(job, -1, NULL) : job_pour(job, STDOUT_FILENO, "stdout");
	}
	job_free(job);
	pthread_mutex_lock(&work.lock);
	work.failed |= !well;
	work.n_running--;
	eventfd_write(work.ended_fd, 1);
	pthread_mutex_unlock(&work.lock);
	return NULL;
}

static uint32_t jobs_running(void)
{
	uint32_t n;

	pthread_mutex_lock(&work.lock);
	n = work.n_running;
	pthread_mutex_unlock(&work.lock);
	return n;
}

/* Waits until @fd is readable. Returns false if we are told to end, whatever else there is. */
static bool readable_await(int fd)
{
	struct pollfd fds[] = { { .fd = work.told_fd, .events = POLLIN },
				{ .fd = fd, .events = POLLIN } };

	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	return !fds[0].revents;
}

/* Waits until at most @n jobs are running. Returns false if we are told to end before. */
static bool jobs_await(uint32_t n)
{
	eventfd_t ends;

	while (jobs_running() > n) {
		if (!readable_await(work.ended_fd))
			return false;
		eventfd_read(work.ended_fd, &ends);
	}
	return true;
}

/* Consumes the message's read end. Returns 0 or -errno. */
static int job_start(const struct bstream_message *message)
{
	struct job *job = calloc(1, sizeof(*job));
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	if (!job) {
		bstream_reader_close(message->reader);
		return -ENOMEM;
	}
	job->reader = message->reader;
	r = work.command ? environment_make(job, message) : 0;
	if (r == 0) {
		pthread_mutex_lock(&work.lock);
		work.n_running++;
		pthread_mutex_unlock(&work.lock);
		pthread_attr_init(&attr);
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		r = -pthread_create(&thread, &attr, job_run, job);
		pthread_attr_destroy(&attr);
		if (r == 0)
			return 0;
		pthread_mutex_lock(&work.lock);
		work.n_running--;
		pthread_mutex_unlock(&work.lock);
	}
	job_free(job);
	return r;
}

/* ---- Messages. ---- */

static void message_print_json(const struct bstream_message *message)
{
	struct json_line *line = json_line_new();

	json_line_text(line, "mailbox", work.mailbox);
	json_line_bytes(line, "note", message->note, message->len);
	json_line_number(line, "pid", (uint64_t)message->pid);
	json_line_number(line, "uid", message->uid);
	json_line_bool(line, "stream", message->reader);
	json_line_print(line, stdout);
}

/* Whoever sent it may not do things to a terminal; to anything else it goes as it is. */
static void message_print(const struct bstream_message *message)
{
	char safe[4 * BSTREAM_NOTE_MAX + 1];

	if (isatty(STDOUT_FILENO))
		fputs(say_safely_bytes(safe, sizeof(safe), message->note, message->len), stdout);
	else
		fwrite(message->note, 1, message->len, stdout);
	putchar('\n');
}

/* Prints what is to be printed of it. Returns 0 or -errno. */
static int message_show(const struct bstream_message *message)
{
	int r = 0;

	if (!work.json && (work.command || message->reader))
		return 0;
	pthread_mutex_lock(&work.output);
	errno = 0;
	if (work.json)
		message_print_json(message);
	else
		message_print(message);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		r = errno ? -errno : -EIO;
		/* Our caller says so. What is left in there would be said again as we leave. */
		__fpurge(stdout);
		clearerr(stdout);
	}
	pthread_mutex_unlock(&work.output);
	return r;
}

/* Serves one message. Returns 0, or an exit code after which nothing more can be served. */
static int message_serve(const struct bstream_message *message)
{
	int r = message_show(message);

	if (r < 0) {
		bstream_reader_close(message->reader);
		return outcome_fail(DOING_OUTPUT, "stdout", r);
	}
	if (!work.command && !message->reader)
		return CODE_DONE;
	if (work.command && memchr(message->note, 0, message->len)) {
		say_failure(work.mailbox,
			    "process %jd sent a note with a zero byte (not served: a "
			    "variable cannot hold it)",
			    (intmax_t)message->pid);
		bstream_reader_close(message->reader);
		job_failed();
		return CODE_DONE;
	}
	r = job_start(message);
	if (r < 0) {
		outcome_fail(DOING_ANYTHING, work.mailbox, r);
		job_failed();
	}
	return CODE_DONE;
}

/* Receives the next message when a job is free for it. Returns 0; 1 if we are told to end; or -errno. */
static int message_await(struct bstream_mailbox *mailbox, struct bstream_message *message)
{
	int fd = bstream_mailbox_pollfd(mailbox), r;

	if (fd < 0)
		return fd;
	if (!jobs_await(work.n_jobs - 1))
		return 1;
	do {
		uint32_t n_running;

		if (!readable_await(fd))
			return 1;
		r = bstream_mailbox_recv(mailbox, message, BSTREAM_DONT_WAIT);
		/* Without a descriptor to spare, the message waits for a job to end. */
		if (r == -EMFILE && (n_running = jobs_running()) > 0) {
			if (!jobs_await(n_running - 1))
				return 1;
			r = -EAGAIN;
		}
	} while (r == -EAGAIN);
	return r;
}

static int messages_serve(struct bstream_mailbox *mailbox)
{
	int code = CODE_DONE;

	for (uint64_t n = 0; n < work.count && code == CODE_DONE; n++) {
		struct bstream_message message;
		int r = message_await(mailbox, &message);

		if (r > 0) {
			say_note(work.mailbox, "told to end, jobs that go on: %u", jobs_running());
			break;
		}
		code = r < 0 ? outcome_fail(DOING_LISTEN, work.mailbox, r)
			     : message_serve(&message);
	}
	return code;
}

/* What the main thread waits with, and what threads and commands have for a signal mask. Returns 0 or -errno. */
static int waiting_init(void)
{
	sigset_t set;

	signal(SIGCHLD, SIG_DFL); /* ignored, it would leave nobody to wait for */
	sigemptyset(&set);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, &work.mask);
	work.told_fd = signalfd(-1, &set, SFD_CLOEXEC);
	work.ended_fd = eventfd(0, EFD_CLOEXEC);
	return work.told_fd < 0 || work.ended_fd < 0 ? -errno : 0;
}

static int mailbox_open(struct bstream_mailbox **mailboxp)
{
	struct bstream_mailbox_options options = BSTREAM_MAILBOX_OPTIONS_INIT;

	options.mode = work.mode;
	options.gid = work.gid;
	return bstream_mailbox_open_with(work.mailbox, &options, mailboxp);
}

static int listen_run(const struct call *call)
{
	struct bstream_mailbox *mailbox;
	int code = CODE_DONE, r;

	work.mailbox = call->operands[0];
	work.json = call->globals->json;
	if (call->n_operands > 1)
		work.command = call->operands + 1;
	if (work.n_jobs == 0)
		return say_usage("--jobs", "cannot be 0");
	if (work.command)
		code = command_check(work.command[0]);
	if (code)
		return code;
	r = waiting_init();
	if (r == 0)
		r = mailbox_open(&mailbox);
	if (r < 0)
		return outcome_own(outcome_fail(DOING_LISTEN, work.mailbox, r));
	say_note(work.mailbox, "listening");
	code = messages_serve(mailbox);
	/* At once, so that nobody sends what nobody will receive, and another may listen there. */
	bstream_mailbox_close(mailbox);
	work.told_fd = -1;
	jobs_await(0);
	if (code)
		return outcome_own(code);
	return work.failed ? CODE_FAILURE : CODE_DONE;
}

const struct verb verb_listen = {
	.name = "listen",
	.args = "MAILBOX [-- COMMAND...]",
	.help = "receive messages, and run a command for each",
	.notes =
		"SIGQUIT ends it as --count does: no more messages, the jobs that run go on to their end.\n"
		"The command's stdin is the stream that came with the message, BSTREAM_NOTE its note,\n"
		"BSTREAM_PID and BSTREAM_UID who sent it. Without a command, streams go to stdout, and\n"
		"so does the note of a message without one. A note is whatever its sender wrote: look at\n"
		"it before you make a file name of it.",
	.examples = { "bstreamctl listen up --jobs 4 -- sh -c 'gzip > \"up/${BSTREAM_NOTE##*/}.gz\"'",
		      "bstreamctl listen print --count 1 | lpr" },
	.operands = OPERANDS_NAME_COMMAND,
	.options = listen_options,
	.run = listen_run,
};
