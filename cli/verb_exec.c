/* SPDX-License-Identifier: MIT */
/*
 * verb_exec.c - owns the verb exec: a command whose stdin and stdout are streams, or that inherits
 * real ends.
 *
 * With -r and -w alone this process becomes the command. With -i or -o it stays as its parent, and
 * moves bytes through pipes, a thread each way, as "read | CMD | write" would: whoever holds a pipe
 * is waited for. Unlike there, the output ends as whole only if the command exits 0 and its input
 * ended as whole; therefore its end waits for the command's. The write end is static because of
 * that: if we die or fail it is never closed.
 *
 * All signals that are passed on are blocked from before the fork until the command has been waited
 * for, and taken by the main thread one by one; so a pid is never signalled that is not the
 * command's.
 */
#include "config.h"
#include "bstream.h"
#include "command.h"
#include "feed.h"
#include "name.h"
#include "outcome.h"
#include "outlet.h"
#include "pour.h"
#include "say.h"
#include "units.h"
#include "verb.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ENDS 64

/* An end that the command inherits. */
struct exec_end {
	const char *name;
	bool writes;
};

/* One way of bytes between a stream and a pipe to the command. */
struct pump {
	const char *name; /* of the stream; NULL: not wanted */
	int pipe_ours, pipe_theirs;
	pthread_t thread;
	bool running;
	int code; /* how it went */
};

static struct {
	struct outlet outlet;
	struct framing framing;
	struct pump in, out;
	struct bstream_reader *reader;
	struct bstream_writer *writer;
	struct exec_end ends[MAX_ENDS];
	int end_fds[MAX_ENDS];
	int n_ends;
} job = { .outlet = { .creation = CREATION_INIT, .timeout_ns = NO_TIMEOUT },
	  .in = { .pipe_ours = -1, .pipe_theirs = -1 },
	  .out = { .pipe_ours = -1, .pipe_theirs = -1 } };

static bool exec_take_end(const char *name, bool writes)
{
	if (job.n_ends == MAX_ENDS)
		return false;
	job.ends[job.n_ends++] = (struct exec_end){ name, writes };
	return true;
}

static bool exec_take_r(void *to, const char *text)
{
	(void)to;
	return exec_take_end(text, false);
}

static bool exec_take_w(void *to, const char *text)
{
	(void)to;
	return exec_take_end(text, true);
}

static const struct option_row exec_options[] = {
	{ .letter = 'i',
	  .kind = OPTION_TEXT,
	  .arg = "NAME",
	  .to = &job.in.name,
	  .help = "its stdin is this stream, which is waited for" },
	{ .letter = 'o',
	  .kind = OPTION_TEXT,
	  .arg = "NAME",
	  .to = &job.out.name,
	  .help = "its stdout is this stream, which is made if need be" },
	{ .letter = 'r',
	  .kind = OPTION_OWN,
	  .arg = "NAME",
	  .take = exec_take_r,
	  .help = "it inherits this stream's read end; again for more" },
	{ .letter = 'w',
	  .kind = OPTION_OWN,
	  .arg = "NAME",
	  .take = exec_take_w,
	  .help = "it inherits a write end of this stream; again for more" },
	{ .name = "frame",
	  .kind = OPTION_OWN,
	  .arg = "raw|line|nul|len32|fixed:N",
	  .to = &job.framing,
	  .take = framing_take,
	  .help = "how stdin and stdout are made of chunks (default raw)" },
	{ .name = "timeout",
	  .kind = OPTION_TIME,
	  .arg = "T",
	  .to = &job.outlet.timeout_ns,
	  .help = "give up a wait for a name: exit 124" },
	{ .name = "no-create",
	  .to = &job.outlet.no_create,
	  .help = "a stream to write to that does not exist is exit 3" },
	CREATION_OPTIONS(job.outlet.creation),
	{ 0 },
};

static int own_failure(const char *what, int err)
{
	say_failure("exec", "%s: %s", what, strerror(err));
	return CODE_OWN_FAILURE;
}

static int exec_check(const struct call *call)
{
	int code = CODE_DONE;

	if (!job.in.name && !job.out.name && !job.n_ends)
		return say_usage("exec", "one of -i, -o, -r and -w is needed");
	if (job.in.name)
		code = name_check(job.in.name);
	if (job.out.name && code == CODE_DONE)
		code = name_check(job.out.name);
	for (int i = 0; i < job.n_ends && code == CODE_DONE; i++)
		code = name_check(job.ends[i].name);
	return code ? code : command_check(call->operands[0]);
}

/* Takes the lowest descriptors from 3 on that are free, before the library opens any. */
static int numbers_reserve(void)
{
	for (int i = 0; i < job.n_ends; i++) {
		job.end_fds[i] = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		if (job.end_fds[i] < 0)
			return own_failure("no descriptor", errno);
	}
	return CODE_DONE;
}

/* Puts a detached end, which is consumed, at its number. */
static int number_fill(int i, int fd)
{
	int err = fd < 0 ? -fd : 0;

	if (!err && dup3(fd, job.end_fds[i], O_CLOEXEC) < 0)
		err = errno;
	if (fd >= 0)
		close(fd);
	return err ? own_failure(job.ends[i].name, err) : CODE_DONE;
}

static int reader_open(const char *name, struct bstream_reader **readerp)
{
	int r = bstream_open_reader(name, units_deadline(job.outlet.timeout_ns), readerp);

	return r < 0 ? outcome_fail(DOING_OPEN_READER, name, r) : CODE_DONE;
}

static int end_open(int i)
{
	struct bstream_writer *writer;
	struct bstream_reader *reader;
	int code;

	if (job.ends[i].writes) {
		code = outlet_open(&job.outlet, job.ends[i].name, &writer);
		return code ? code : number_fill(i, bstream_writer_detach(writer));
	}
	code = reader_open(job.ends[i].name, &reader);
	return code ? code : number_fill(i, bstream_reader_detach(reader));
}

/* What is written to is there first, so that two that wait for each other's output both begin. */
static int streams_open(void)
{
	int code = CODE_DONE;

	if (job.out.name)
		code = outlet_open(&job.outlet, job.out.name, &job.writer);
	for (int i = 0; i < job.n_ends && code == CODE_DONE; i++)
		if (job.ends[i].writes)
			code = end_open(i);
	if (job.in.name && code == CODE_DONE)
		code = reader_open(job.in.name, &job.reader);
	for (int i = 0; i < job.n_ends && code == CODE_DONE; i++)
		if (!job.ends[i].writes)
			code = end_open(i);
	return code;
}

/* BSTREAM_FDS=3:r:NAME,4:w:NAME, or nothing of an outer exec's. */
static int variable_set(void)
{
	static char text[MAX_ENDS * (BSTREAM_NAME_MAX + 16)];
	size_t len = 0;

	for (int i = 0; i < job.n_ends; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%d:%c:%s", i ? "," : "",
					job.end_fds[i], job.ends[i].writes ? 'w' : 'r',
					job.ends[i].name);
	if ((len ? setenv("BSTREAM_FDS", text, 1) : unsetenv("BSTREAM_FDS")) < 0)
		return own_failure("BSTREAM_FDS", errno);
	return CODE_DONE;
}

static int pipes_make(void)
{
	int fds[2];

	if (job.in.name) {
		if (pipe2(fds, O_CLOEXEC) < 0)
			return own_failure("no pipe", errno);
		job.in.pipe_ours = fds[1];
		job.in.pipe_theirs = fds[0];
	}
	if (job.out.name) {
		if (pipe2(fds, O_CLOEXEC) < 0)
			return own_failure("no pipe", errno);
		job.out.pipe_ours = fds[0];
		job.out.pipe_theirs = fds[1];
	}
	return CODE_DONE;
}

static void *pump_in(void *arg)
{
	const struct pour pour = { .reader = job.reader,
				   .name = job.in.name,
				   .framing = job.framing,
				   .timeout_ns = NO_TIMEOUT,
				   .count = UINT64_MAX,
				   .fd = job.in.pipe_ours };

	(void)arg;
	job.in.code = pour_all(&pour);
	/* Both at once: the command learns that no more comes, writers that nobody reads. */
	bstream_reader_close(job.reader);
	close(job.in.pipe_ours);
	return NULL;
}

static void *pump_out(void *arg)
{
	struct feed feed = { .writer = job.writer,
			     .name = job.out.name,
			     .framing = job.framing,
			     .timeout_ns = NO_TIMEOUT };

	(void)arg;
	job.out.code = feed_init(&feed);
	if (job.out.code == CODE_DONE) {
		job.out.code = feed_file(&feed, job.out.pipe_ours, "the command's stdout");
		feed_fini(&feed);
	}
	close(job.out.pipe_ours);
	return NULL;
}

static void pump_start(struct pump *pump, void *(*run)(void *))
{
	int err;

	if (!pump->name)
		return;
	close(pump->pipe_theirs);
	err = pthread_create(&pump->thread, NULL, run, NULL);
	pump->running = err == 0;
	if (pump->running)
		return;
	pump->code = own_failure("no thread", err);
	close(pump->pipe_ours);
}

static void pump_join(struct pump *pump)
{
	if (pump->running)
		pthread_join(pump->thread, NULL);
}

/* The signals that the main thread takes while there is a command. */
static void signals_fill(sigset_t *set)
{
	static const int signals[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD
	};

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaddset(set, signals[i]);
}

/* What a terminal sends, it has sent to our whole process group, the command with it. */
static void signal_pass_on(const siginfo_t *info, pid_t pid)
{
	if (info->si_code == SI_KERNEL && getpgid(pid) == getpgrp())
		return;
	kill(pid, info->si_signo);
}

/* Waits for the command, and passes signals on to it meanwhile. Returns its exit code. */
static int command_await(pid_t pid)
{
	sigset_t set;
	int status;

	signals_fill(&set);
	for (;;) {
		siginfo_t info;
		pid_t done = waitpid(pid, &status, WNOHANG);

		if (done == pid)
			return command_code(status);
		if (sigwaitinfo(&set, &info) > 0 && info.si_signo != SIGCHLD)
			signal_pass_on(&info, pid);
	}
}

/* Moves bytes while the command runs. Returns its exit code, or of what it did not see itself. */
static int command_pump(pid_t pid, const sigset_t *mask)
{
	int code;

	for (int i = 0; i < job.n_ends; i++)
		close(job.end_fds[i]);
	pump_start(&job.in, pump_in);
	pump_start(&job.out, pump_out);
	code = command_await(pid);
	/* It is gone: from here on a signal is about us, who wait for whoever holds its pipes. */
	pthread_sigmask(SIG_SETMASK, mask, NULL);
	pump_join(&job.in);
	pump_join(&job.out);
	return code ? code : outcome_own(job.in.code ? job.in.code : job.out.code);
}

/* The command did not run: nothing was taken from its inputs, and others may have them. */
static void inputs_give_back(void)
{
	if (job.reader && bstream_reader_park(job.reader) < 0)
		bstream_reader_close(job.reader);
	for (int i = 0; i < job.n_ends; i++) {
		struct bstream_reader *reader;

		if (!job.ends[i].writes && bstream_reader_attach(job.end_fds[i], &reader) == 0 &&
		    bstream_reader_park(reader) < 0)
			bstream_reader_close(reader);
	}
}

/* With pipes: runs the command as a child, to its end. */
static int command_attend(struct command *command)
{
	sigset_t mask, set;
	pid_t pid;
	int code;

	signals_fill(&set);
	sigaddset(&set, SIGPIPE); /* what it says is seen from EPIPE */
	signal(SIGCHLD, SIG_DFL); /* ignored, it would leave nobody to wait for */
	sigprocmask(SIG_BLOCK, &set, &mask);
	command->mask = &mask;
	command->stdin_fd = job.in.pipe_theirs;
	command->stdout_fd = job.out.pipe_theirs;
	code = command_start(command, &pid);
	if (code) {
		inputs_give_back();
		return code;
	}
	code = command_pump(pid, &mask);
	if (code == CODE_DONE)
		bstream_writer_close(job.writer);
	return code;
}

/* Without: becomes it. Returns only if that cannot be. */
static int command_replace(struct command *command)
{
	sigset_t mask;
	int code;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	command->mask = &mask;
	command->stdin_fd = command->stdout_fd = -1;
	code = command_become(command);
	inputs_give_back();
	return code;
}

static int exec_run(const struct call *call)
{
	struct command command = { .argv = call->operands,
				   .inherited = job.end_fds,
				   .n_inherited = job.n_ends };
	int code = exec_check(call);

	if (code == CODE_DONE)
		code = numbers_reserve();
	if (code)
		return code;
	code = streams_open();
	if (code == CODE_DONE)
		code = variable_set();
	if (code == CODE_DONE)
		code = pipes_make();
	if (code) {
		inputs_give_back();
		return outcome_own(code);
	}
	return job.in.name || job.out.name ? command_attend(&command) : command_replace(&command);
}

const struct verb verb_exec = {
	.name = "exec",
	.args = "[--] COMMAND...",
	.help = "run a command from and to streams",
	.notes =
		"Exits as the command does, 128+N when signal N killed it. If it fails, or its input\n"
		"was cut short, its output ends as died, not as closed. A command with -r or -w finds\n"
		"its ends by BSTREAM_FDS=3:r:NAME,4:w:NAME; bstream_detach(3) says how to use them.",
	.examples = { "bstreamctl exec -i raw -o packed -- gzip -c",
		      "bstreamctl exec -r jobs -w results -- ./worker" },
	.operands = OPERANDS_COMMAND,
	.options = exec_options,
	.run = exec_run,
};
