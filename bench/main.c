/* SPDX-License-Identifier: MIT */
/*
 * main.c - bstream-bench: measures bstream, its peers and the limits of the machine.
 *
 * main.c        parses, runs the cases, prints
 * case_*.c      what is measured, one case a file
 * suite.c       interleaves the rounds of a case over the transports
 * round.c       one round: processes, phases, sums; party.c is what a process of it does
 * loops.h       the work of a party, compiled into each transport_*.c
 * result.c      all samples and their medians; report_*.c shows them; targets.c judges them
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/options.h"
#include "bench/programs.h"
#include "bench/report.h"
#include "bench/targets.h"

static void list(void)
{
	for (unsigned i = 0; transports[i]; i++)
		printf("%-18s %s\n", transports[i]->name, transports[i]->about);
	putchar('\n');
	for (unsigned i = 0; kases[i]; i++)
		printf("%c  %s\n", kases[i]->letter, kases[i]->title);
}

static bool any_needs_broker(const struct suite *suite)
{
	for (unsigned i = 0; transports[i]; i++)
		if ((transports[i]->traits & TRANSPORT_BROKER) &&
		    transport_matches(transports[i]->name, suite->settings.transports))
			return true;
	return false;
}

static int save(const struct settings *set, const struct suite *suite)
{
	int err = 0;

	if (set->csv)
		err = report_csv(set->csv, suite);
	if (!err && set->json)
		err = report_json(set->json, suite);
	return err;
}

/* What is printed cannot be printed anew; a file can be written anew. */
static int save_so_far(const struct suite *suite)
{
	struct settings files = suite->settings;

	if (files.csv && strcmp(files.csv, "-") == 0)
		files.csv = NULL;
	if (files.json && strcmp(files.json, "-") == 0)
		files.json = NULL;
	return save(&files, suite);
}

/*
 * In the order of the table: case H comes last, for it uses the library in this very process. Each
 * case's result is there as soon as the case is over: all of them take minutes.
 */
static int run(struct suite *suite)
{
	int err = 0;

	if (any_needs_broker(suite) && programs_broker_start(suite) < 0)
		fprintf(stderr, "what needs a broker will have no result\n");
	for (unsigned i = 0; kases[i] && !err; i++) {
		if (!strchr(suite->settings.cases, kases[i]->letter))
			continue;
		if (kases[i]->needs_broker && programs_broker_start(suite) < 0) {
			suite->no_broker = true;
			continue;
		}
		err = kases[i]->run(suite);
		report_tables(stdout, suite, kases[i]);
		fflush(stdout);
		if (!err)
			err = save_so_far(suite);
	}
	programs_broker_stop();
	return err;
}

int main(int argc, char **argv)
{
	static struct suite suite;
	enum mode mode = options_parse(&suite.settings, argc, argv);
	unsigned n_failed;
	int err;

	if (mode == MODE_LIST) {
		list();
		return 0;
	}
	if (mode == MODE_TARGETS)
		targets_narrow(&suite.settings);
	report_machine(stdout, "", "\n", "\n");
	err = run(&suite);
	if (mode == MODE_TARGETS)
		targets_report(stdout, &suite);
	if (!err)
		err = save(&suite.settings, &suite);
	if (err)
		fprintf(stderr, "bstream-bench: %s\n", strerror(-err));
	n_failed = results_failed(&suite.results);
	if (n_failed > 0)
		fprintf(stderr, "bstream-bench: %u rounds failed (their reasons: --csv=-)\n",
			n_failed);
	results_fini(&suite.results);
	return err || n_failed > 0 || suite.no_broker ? 1 : 0;
}
