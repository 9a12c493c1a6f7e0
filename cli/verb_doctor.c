/* SPDX-License-Identifier: MIT */
/*
 * verb_doctor.c - owns the verb doctor: the order of its checks and the form of its findings.
 *
 * It starts no broker, because that would mend half of what it is to find, and changes nothing: what
 * to do is for the one who asked. A finding is one line on stdout, for it is the answer, not a
 * failure of doctor's.
 */
#include "config.h"
#include "checkup.h"
#include "json_line.h"
#include "outcome.h"
#include "say.h"
#include "verb.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT_MAX 512

static void finding_print_json(const char *check, bool ok, const char *about, const char *what,
			       const char *advice)
{
	struct json_line *line = json_line_new();

	json_line_text(line, "check", check);
	json_line_bool(line, "ok", ok);
	json_line_text(line, "about", about);
	json_line_text(line, "what", what);
	json_line_text(line, "advice", advice);
	json_line_print(line, stdout);
}

void checkup_problem(struct checkup *checkup, const char *check, const char *about,
		     const char *advice, const char *format, ...)
{
	char what[TEXT_MAX], safe[TEXT_MAX];
	va_list args;

	checkup->n_problems++;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (checkup->globals->json)
		finding_print_json(check, false, about, what, advice);
	else if (!checkup->globals->quiet)
		printf("%s: %s (%s)\n", say_safely(safe, sizeof(safe), about), what, advice);
}

void checkup_fine(struct checkup *checkup, const char *check, const char *format, ...)
{
	char what[TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (checkup->globals->json)
		finding_print_json(check, true, "", what, "");
	else if (checkup->globals->verbose)
		printf("%s: fine: %s\n", check, what);
}

static int doctor_run(const struct call *call)
{
	static void (*const checks[])(struct checkup *) = {
		checkup_runtime, checkup_socket,      checkup_broker,
		checkup_daemon,	 checkup_shm,	      checkup_kernel,
		checkup_inotify, checkup_descriptors, checkup_leftovers,
	};
	const struct globals *globals = call->globals;
	struct checkup checkup = { .globals = globals, .place.size = sizeof(checkup.place) };
	uint32_t system = globals->system ? BSTREAM_SYSTEM : 0;

	bstream_broker_use(globals->socket, system | BSTREAM_NO_START);
	checkup.place_err = bstream_broker_place(&checkup.place);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		checks[i](&checkup);
	if (checkup.n_problems == 0 && !globals->quiet && !globals->json)
		printf("nothing is wrong\n");
	return checkup.n_problems ? CODE_FAILURE : CODE_DONE;
}

const struct verb verb_doctor = {
	.name = "doctor",
	.args = "",
	.help = "what is wrong with this machine, and what to do about it",
	.notes =
		"Looks at the runtime directory, socket, broker, /dev/shm, membarrier, inotify, limits\n"
		"and leftovers. Starts and changes nothing. Exit 0: nothing is wrong; else 1.",
	.examples = { "bstreamctl doctor", "bstreamctl doctor -v" },
	.operands = OPERANDS_NONE,
	.run = doctor_run,
};
