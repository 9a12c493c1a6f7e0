/* SPDX-License-Identifier: MIT */
/*
 * main.c - owns the start of bstreamctl: its standard descriptors, its global options, the choice
 * of the broker and of the verb.
 *
 * Before anything is opened, descriptors 0 to 2 are; otherwise the segment or the broker's socket
 * could become somebody's stdout. No signal is touched here: SIGINT, SIGTERM and SIGPIPE do to us
 * what they do to cat.
 */
#include "config.h"
#include "bstream.h"
#include "name.h"
#include "outcome.h"
#include "say.h"
#include "verb.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct globals globals;

static bool color_take(void *to, const char *text)
{
	static const char *const names[] = { "auto", "always", "never" };

	for (unsigned i = 0; i < 3; i++) {
		if (!strcmp(text, names[i])) {
			*(enum color_when *)to = (enum color_when)i;
			return true;
		}
	}
	return false;
}

const struct option_row global_options[] = {
	{ .name = "quiet",
	  .letter = 'q',
	  .to = &globals.quiet,
	  .help = "no messages but those on wrong usage: the exit code says it" },
	{ .name = "verbose",
	  .letter = 'v',
	  .to = &globals.verbose,
	  .help = "say what is being done" },
	{ .name = "json", .to = &globals.json, .help = "print objects, one a line" },
	{ .name = "color",
	  .kind = OPTION_OWN,
	  .arg = "auto|always|never",
	  .to = &globals.color,
	  .take = color_take,
	  .help = "colour tables; auto: on a terminal, unless NO_COLOR is set" },
	{ .name = "user", .to = &globals.user, .help = "ask the user's broker (the default)" },
	{ .name = "system", .to = &globals.system, .help = "ask the machine's broker" },
	{ .name = "socket",
	  .kind = OPTION_TEXT,
	  .arg = "PATH",
	  .to = &globals.socket,
	  .help = "ask the broker at this socket" },
	{ .name = "no-start", .to = &globals.no_start, .help = "do not start a broker" },
	{ .name = "help", .letter = 'h', .to = &globals.help, .help = "print this" },
	{ .name = "version",
	  .letter = 'V',
	  .to = &globals.version,
	  .help = "print the versions of bstreamctl, wire and layout" },
	{ 0 },
};

/* Opens what is closed of 0 to 2 on /dev/null. */
static int std_fds_open(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		/* Those below are open, so the lowest free number is this one. */
		if (open("/dev/null", O_RDWR) != fd)
			return -1;
	}
	return 0;
}

/* In a build tree the broker is not where it will be installed; say where it is. */
static void daemon_find_built(void)
{
	static const char from[] = "/cli/", to[] = "/daemon/bstreamd";
	char path[PATH_MAX + sizeof(to)];
	ssize_t n;
	char *dir;

	if (getenv("BSTREAM_DAEMON"))
		return;
	n = readlink("/proc/self/exe", path, PATH_MAX);
	if (n <= 0 || n == PATH_MAX)
		return;
	path[n] = '\0';
	dir = strrchr(path, '/');
	if (!dir || dir - path < 4 || strncmp(dir - 4, from, sizeof(from) - 1) != 0)
		return;
	memcpy(dir - 4, to, sizeof(to));
	if (access(path, X_OK) == 0)
		setenv("BSTREAM_DAEMON", path, 1);
}

static int operands_check(const struct verb *verb, const struct call *call)
{
	static const struct {
		int min, max, n_names; /* n_names: how many of the operands name streams */
	} rules[] = {
		[OPERANDS_NONE] = { 0, 0, 0 },
		[OPERANDS_NAME] = { 1, 1, 1 },
		[OPERANDS_NAMES] = { 1, INT_MAX, INT_MAX },
		[OPERANDS_NAME_FILES] = { 1, INT_MAX, 1 },
		[OPERANDS_NAME_COMMAND] = { 1, INT_MAX, 1 },
		[OPERANDS_COMMAND] = { 1, INT_MAX, 0 },
		[OPERANDS_PATTERNS] = { 0, INT_MAX, 0 },
		[OPERANDS_WORD] = { 1, 1, 0 },
		[OPERANDS_MAYBE_WORD] = { 0, 1, 0 },
	};
	int n = call->n_operands, n_names = rules[verb->operands].n_names;

	if (n < rules[verb->operands].min)
		return say_usage(verb->name, "%s is missing (see bstreamctl %s --help)", verb->args,
				 verb->name);
	if (n > rules[verb->operands].max)
		return say_usage(verb->name, "too many operands (see bstreamctl %s --help)",
				 verb->name);
	for (int i = 0; i < n && i < n_names; i++) {
		int code = name_check(call->operands[i]);

		if (code)
			return code;
	}
	return CODE_DONE;
}

static int globals_apply(void)
{
	uint32_t flags = 0;
	int r;

	if (globals.user && globals.system)
		return say_usage("--system", "the user's broker or the machine's, not both");
#ifndef HAVE_JANSSON
	if (globals.json)
		return say_usage("--json", "this bstreamctl was built without jansson");
#endif
	if (globals.quiet)
		say_set_level(SAY_QUIET);
	else if (globals.verbose)
		say_set_level(SAY_NOTES);
	if (globals.system) {
		outcome_set_system();
		flags |= BSTREAM_SYSTEM;
	}
	if (globals.no_start)
		flags |= BSTREAM_NO_START;
	if (!globals.socket && !flags)
		return CODE_DONE;
	if (globals.socket && !globals.socket[0])
		return say_usage("--socket", "is empty (it wants the path of a broker's socket)");
	r = bstream_broker_use(globals.socket, flags);
	if (r == -ENAMETOOLONG)
		return say_usage("--socket", "the path is too long (choose a shorter one)");
	if (r < 0)
		return say_usage("--socket", "%s", strerror(-r));
	return CODE_DONE;
}

static void version_print(void)
{
	printf("bstreamctl %s (libbstream %s, wire %u, layout %u)\n", PACKAGE_VERSION,
	       bstream_version(), bstream_wire_version(), bstream_layout_version());
}

/* What was printed on stdout must have arrived there. */
static int stdout_finish(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	outcome_fail(DOING_OUTPUT, "stdout", errno ? -errno : -EIO);
	return code ? code : CODE_FAILURE;
}

static int verb_call(const struct verb *verb, int argc, char **argv)
{
	static const struct option_row none[] = { { 0 } };
	struct call call = { .globals = &globals };
	char words[32];
	int at, code;

	snprintf(words, sizeof(words), " %s", verb->name);
	at = options_parse(words, verb->options ? verb->options : none, global_options, argc, argv,
			   verb->operands == OPERANDS_COMMAND);
	if (at < 0)
		return CODE_USAGE;
	if (globals.help) {
		verb_print(stdout, verb);
		return CODE_DONE;
	}
	if (globals.version) {
		version_print();
		return CODE_DONE;
	}
	call.n_operands = argc - at;
	call.operands = argv + at;
	code = globals_apply();
	if (code == CODE_DONE)
		code = operands_check(verb, &call);
	return code ? code : verb->run(&call);
}

int main(int argc, char **argv)
{
	static char *ls_alone[] = { "ls", NULL };
	const struct verb *verb;
	int at;

	if (std_fds_open() < 0)
		return CODE_FAILURE;
	daemon_find_built();
	at = options_parse("", global_options, NULL, argc, argv, true);
	if (at < 0)
		return CODE_USAGE;
	if (at == argc && globals.help) {
		verb_print_all(stdout);
		return stdout_finish(CODE_DONE);
	}
	if (at == argc)
		return stdout_finish(verb_call(&verb_ls, 1, ls_alone));
	verb = verb_find(argv[at]);
	if (!verb)
		return say_usage(argv[at], "no such verb (bstreamctl help lists them)");
	return stdout_finish(verb_call(verb, argc - at, argv + at));
}
