/* SPDX-License-Identifier: MIT */
/*
 * verb_completion.c - owns the verb completion: what bash, zsh and fish need to know to complete.
 *
 * Verbs, options and their values come from the same table as help, so a new one is complete at
 * once. Names of streams are asked for while the user types, of a broker that is there: completing
 * starts none. An option's values are read from its argument as help shows it: "a|b|c".
 */
#include "config.h"
#include "columns.h"
#include "outcome.h"
#include "say.h"
#include "verb.h"

#include <stdio.h>
#include <string.h>

#define VALUES_MAX 512
#define HELP_MAX   256

/* ---- what an option takes -------------------------------------------------------------------- */

static bool row_is_last(const struct option_row *row)
{
	return !row->name && !row->letter;
}

static bool row_takes_file(const struct option_row *row)
{
	return row->arg && (!strcmp(row->arg, "PATH") || !strcmp(row->arg, "FILE"));
}

static bool row_takes_name(const struct option_row *row)
{
	return row->arg && (!strcmp(row->arg, "NAME") || !strcmp(row->arg, "SRC"));
}

/* Whether the argument is a word of its own. */
static bool row_takes_word(const struct option_row *row)
{
	return row->kind != OPTION_FLAG && !row->optional;
}

static void values_of_columns(char values[VALUES_MAX])
{
	const struct column *columns;
	size_t n, len = 0;

	columns = column_all(&n);
	for (size_t i = 0; i < n && len < VALUES_MAX; i++)
		len += (size_t)snprintf(values + len, VALUES_MAX - len, "%s%s", i ? " " : "",
					columns[i].heading);
}

/* The words an option's argument can be, split by blanks; "" if that is not known. */
static const char *values_of(const struct option_row *row, char values[VALUES_MAX])
{
	char *at;

	values[0] = '\0';
	if (!row->arg)
		return values;
	if (!strcmp(row->arg, "COL") || !strcmp(row->arg, "COLS")) {
		values_of_columns(values);
		return values;
	}
	/* Words stand in small letters; N, SIZE and the like for what is not known. */
	if (!strchr(row->arg, '|') && (row->arg[0] < 'a' || row->arg[0] > 'z'))
		return values;
	snprintf(values, VALUES_MAX, "%s", row->arg);
	for (at = values; *at; at++)
		if (*at == '|')
			*at = ' ';
	at = strstr(values, ":N");
	if (at)
		memmove(at + 1, at + 2, strlen(at + 2) + 1);
	return values;
}

/* One line, to stand between quotes of the kind ' in a shell. */
static const char *help_of(const char *help, char buf[HELP_MAX])
{
	size_t n = 0;

	for (; *help && n + 5 < HELP_MAX; help++) {
		if (*help == '\'') {
			memcpy(buf + n, "'\\''", 4);
			n += 4;
		} else {
			buf[n++] = *help == '\n' ? ' ' : *help;
		}
	}
	buf[n] = '\0';
	return buf;
}

/* What its operands are: names, then files, or one of the words it knows. */
static const char *operands_of(const struct verb *verb)
{
	/* Which mailboxes there are is told to nobody. */
	if (!strncmp(verb->args, "MAILBOX", strlen("MAILBOX")))
		return verb->operands == OPERANDS_NAME_FILES ? "mailbox_files" : "none";
	switch (verb->operands) {
	case OPERANDS_NAME:
	case OPERANDS_NAMES:
	case OPERANDS_PATTERNS:
		return "names";
	case OPERANDS_NAME_FILES:
		return "name_files";
	case OPERANDS_WORD:
	case OPERANDS_MAYBE_WORD:
		return strcmp(verb->name, "help") ? "words" : "verbs";
	case OPERANDS_COMMAND:
		return "command";
	default:
		return "none";
	}
}

/* The words of "start|stop|status". */
static const char *words_of(const struct verb *verb, char words[VALUES_MAX])
{
	const struct option_row row = { .arg = verb->args };

	return values_of(&row, words);
}

/* ---- bash ------------------------------------------------------------------------------------ */

static void bash_options(FILE *out, const struct option_row *rows)
{
	for (; rows && !row_is_last(rows); rows++) {
		if (rows->letter)
			fprintf(out, " -%c", rows->letter);
		if (rows->name)
			fprintf(out, " --%s", rows->name);
	}
}

static void bash_taking_words(FILE *out, const struct option_row *rows)
{
	for (; rows && !row_is_last(rows); rows++) {
		if (!row_takes_word(rows))
			continue;
		if (rows->letter)
			fprintf(out, " -%c", rows->letter);
		if (rows->name)
			fprintf(out, " --%s", rows->name);
	}
}

/* Cases of "$verb $option" that say what its values are; @verb is "*" for global options. */
static void bash_values(FILE *out, const char *verb, const struct option_row *rows)
{
	for (; rows && !row_is_last(rows); rows++) {
		char values[VALUES_MAX];

		if (!*values_of(rows, values) && !row_takes_file(rows) && !row_takes_name(rows))
			continue;
		if (rows->name)
			fprintf(out, "\t%s\\ --%s", verb, rows->name);
		if (rows->letter)
			fprintf(out, "%s%s\\ -%c", rows->name ? " | " : "\t", verb, rows->letter);
		if (row_takes_file(rows))
			fprintf(out, ") files=1 ;;\n");
		else if (row_takes_name(rows))
			fprintf(out, ") names=1 ;;\n");
		else
			fprintf(out, ") values='%s' ;;\n", values);
	}
}

static void bash_head(FILE *out)
{
	fputs("# bash completion for bstreamctl, made by: bstreamctl completion bash\n\n"
	      "_bstreamctl_look() {\n"
	      "\tcase $1 in\n",
	      out);
	for (const struct verb *const *v = verbs; *v; v++) {
		char words[VALUES_MAX];

		fprintf(out, "\t%s) operands=%s", (*v)->name, operands_of(*v));
		if (!strcmp(operands_of(*v), "words"))
			fprintf(out, " words='%s'", words_of(*v, words));
		fprintf(out, "\n\t\toptions='");
		bash_options(out, (*v)->options);
		fprintf(out, "'\n\t\ttaking='");
		bash_taking_words(out, (*v)->options);
		fprintf(out, "' ;;\n");
	}
	fputs("\tesac\n\toptions+='", out);
	bash_options(out, global_options);
	fputs("'\n\ttaking+='", out);
	bash_taking_words(out, global_options);
	fputs("'\n\tverbs='", out);
	for (const struct verb *const *v = verbs; *v; v++)
		fprintf(out, "%s%s", v == verbs ? "" : " ", (*v)->name);
	fputs("'\n}\n\n_bstreamctl_values() {\n\tcase \"$1 $2\" in\n", out);
	for (const struct verb *const *v = verbs; *v; v++)
		bash_values(out, (*v)->name, (*v)->options);
	bash_values(out, "*", global_options);
	fputs("\tesac\n}\n\n", out);
}

static void bash_print(FILE *out)
{
	static const char function[] =
		"_bstreamctl() {\n"
		"\tlocal cur=$2 prev=$3 verb='' options='' taking='' operands=none words='' verbs='' values='' files='' names=''\n"
		"\tlocal i word globals=() n=0\n"
		"\t_bstreamctl_look ''\n"
		"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		"\t\tword=${COMP_WORDS[i]}\n"
		"\t\tcase $word in\n"
		"\t\t--system | --user) globals+=(\"$word\") ;;\n"
		"\t\t--socket) globals+=(\"$word\" \"${COMP_WORDS[i + 1]}\") ;;\n"
		"\t\tesac\n"
		"\t\tif [[ $word == -* && \" $taking \" == *\" $word \"* ]]; then\n"
		"\t\t\t[[ ${COMP_WORDS[i + 1]} != = ]] || ((i++))\n"
		"\t\t\t((i++))\n"
		"\t\telif [[ $word == = ]]; then\n"
		"\t\t\t((i++))\n"
		"\t\telif [[ $word != -* ]]; then\n"
		"\t\t\tif [[ -z $verb ]]; then\n"
		"\t\t\t\tverb=$word options='' taking=''\n"
		"\t\t\t\t_bstreamctl_look \"$verb\"\n"
		"\t\t\telse\n"
		"\t\t\t\t((n++))\n"
		"\t\t\tfi\n"
		"\t\tfi\n"
		"\tdone\n"
		"\t# --option=value is three words here.\n"
		"\tif [[ $cur == = ]]; then\n"
		"\t\tcur=''\n"
		"\telif [[ $prev == = ]]; then\n"
		"\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n"
		"\tfi\n"
		"\tCOMPREPLY=()\n"
		"\t_bstreamctl_values \"$verb\" \"$prev\"\n"
		"\tif [[ -n $files ]]; then\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
		"\telif [[ -n $names || ($cur != -* && \" $taking \" != *\" $prev \"* && -n $verb &&\n"
		"\t\t($operands == names || ($operands == name_files && $n -eq 0))) ]]; then\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -W \"$(\"${COMP_WORDS[0]}\" -q --no-start \\\n"
		"\t\t\t\"${globals[@]}\" ls --no-headings -o NAME 2>/dev/null | sed 's/ .*//')\" \\\n"
		"\t\t\t-- \"$cur\")\n"
		"\telif [[ -n $values ]]; then\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$cur\")\n"
		"\telif [[ $cur != -* && \" $taking \" == *\" $prev \"* ]]; then\n"
		"\t\treturn\n"
		"\telif [[ $cur == -* ]]; then\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
		"\telif [[ -z $verb || $operands == verbs ]]; then\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -W \"$verbs\" -- \"$cur\")\n"
		"\telif [[ $operands == words ]]; then\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
		"\telif [[ $operands == name_files || ($operands == mailbox_files && $n -gt 0) ]]; then\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
		"\telif [[ $operands == command ]]; then\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -c -- \"$cur\")\n"
		"\tfi\n"
		"}\n"
		"complete -F _bstreamctl bstreamctl\n";

	bash_head(out);
	fputs(function, out);
}

/* ---- zsh ------------------------------------------------------------------------------------- */

/* A colon splits what _arguments is told, and brackets end it. */
static void zsh_put(FILE *out, const char *text)
{
	for (; *text; text++)
		fprintf(out, strchr("[]:", *text) ? "\\%c" : "%c", *text);
}

/* One row for _arguments: '(-p --progress)'{-p,--progress}'=[help]:arg:(values)'. */
static void zsh_option(FILE *out, const struct option_row *row)
{
	char help[HELP_MAX], values[VALUES_MAX];
	const char *eq = row_takes_word(row) ? "=" : row->optional ? "=-" : "";

	fprintf(out, "\t\t");
	if (row->letter && row->name)
		fprintf(out, "'(-%c --%s)'{-%c%s,--%s%s}'", row->letter, row->name, row->letter,
			row_takes_word(row) ? "+" : "", row->name, eq);
	else if (row->name)
		fprintf(out, "'--%s%s", row->name, eq);
	else
		fprintf(out, "'-%c%s", row->letter, row_takes_word(row) ? "+" : "");
	fputc('[', out);
	zsh_put(out, help_of(row->help, help));
	fputc(']', out);
	values_of(row, values);
	if (row_takes_file(row)) {
		fprintf(out, ":file:_files");
	} else if (row_takes_name(row)) {
		fprintf(out, ":stream:_bstreamctl_names");
	} else if (*values) {
		fprintf(out, ":value:(");
		zsh_put(out, values);
		fputc(')', out);
	} else if (row_takes_word(row)) {
		fprintf(out, ":%s: ", row->arg);
	}
	fprintf(out, "' \\\n");
}

static void zsh_options(FILE *out, const struct option_row *rows)
{
	for (; rows && !row_is_last(rows); rows++)
		zsh_option(out, rows);
}

static void zsh_operands(FILE *out, const struct verb *verb)
{
	const char *operands = operands_of(verb);
	char words[VALUES_MAX];

	if (!strcmp(operands, "names"))
		fprintf(out, "\t\t'%s:stream:_bstreamctl_names'\n",
			verb->operands == OPERANDS_NAME ? "1" : "*");
	else if (!strcmp(operands, "name_files"))
		fprintf(out, "\t\t'1:stream:_bstreamctl_names' '*:file:_files'\n");
	else if (!strcmp(operands, "mailbox_files"))
		fprintf(out, "\t\t'1:mailbox: ' '*:file:_files'\n");
	else if (!strcmp(operands, "words"))
		fprintf(out, "\t\t'1:what:(%s)'\n", words_of(verb, words));
	else if (!strcmp(operands, "verbs"))
		fprintf(out, "\t\t'1:verb:_bstreamctl_verbs'\n");
	else if (!strcmp(operands, "command"))
		fprintf(out, "\t\t'(-)1:command:_command_names -e' '*::arguments:_normal'\n");
	else
		fprintf(out, "\t\t'*: :'\n");
}

static void zsh_print(FILE *out)
{
	char help[HELP_MAX];

	fputs("#compdef bstreamctl\n"
	      "# zsh completion for bstreamctl, made by: bstreamctl completion zsh\n\n"
	      "_bstreamctl_verbs() {\n\tlocal -a verbs\n\tverbs=(\n",
	      out);
	for (const struct verb *const *v = verbs; *v; v++)
		fprintf(out, "\t\t'%s:%s'\n", (*v)->name, help_of((*v)->help, help));
	fputs("\t)\n\t_describe verb verbs\n}\n\n"
	      "_bstreamctl_names() {\n\tlocal -a names\n"
	      "\tnames=(${${(f)\"$(bstreamctl -q --no-start ${opt_args[--socket]:+--socket} "
	      "${opt_args[--socket]} \\\n\t\tls --no-headings -o NAME 2>/dev/null)\"}%% *})\n"
	      "\tcompadd -a names\n}\n\n"
	      "_bstreamctl() {\n\tlocal curcontext=$curcontext state line\n\ttypeset -A opt_args\n"
	      "\t_arguments -C \\\n",
	      out);
	zsh_options(out, global_options);
	fputs("\t\t'1:verb:_bstreamctl_verbs' '*::operand:->operands'\n"
	      "\t[[ $state == operands ]] || return\n\tcase $words[1] in\n",
	      out);
	for (const struct verb *const *v = verbs; *v; v++) {
		fprintf(out, "\t%s)\n\t\t_arguments \\\n", (*v)->name);
		zsh_options(out, (*v)->options);
		zsh_options(out, global_options);
		zsh_operands(out, *v);
		fprintf(out, "\t\t;;\n");
	}
	fputs("\tesac\n}\n\nif [[ $funcstack[1] == _bstreamctl ]]; then\n\t_bstreamctl \"$@\"\nelse\n"
	      "\tcompdef _bstreamctl bstreamctl\nfi\n",
	      out);
}

/* ---- fish ------------------------------------------------------------------------------------ */

static void fish_options(FILE *out, const char *verb, const struct option_row *rows)
{
	for (; rows && !row_is_last(rows); rows++) {
		char help[HELP_MAX], values[VALUES_MAX];

		fprintf(out, "complete -c bstreamctl");
		if (verb)
			fprintf(out, " -n '__bstreamctl_verb %s'", verb);
		if (rows->letter)
			fprintf(out, " -s %c", rows->letter);
		if (rows->name)
			fprintf(out, " -l %s", rows->name);
		if (row_takes_file(rows))
			fprintf(out, " -r -F");
		else if (row_takes_word(rows))
			fprintf(out, " -x");
		if (row_takes_name(rows))
			fprintf(out, " -a '(__bstreamctl_names)'");
		else if (*values_of(rows, values))
			fprintf(out, " -a '%s'", values);
		fprintf(out, " -d '%s'\n", help_of(rows->help, help));
	}
}

static void fish_operands(FILE *out, const struct verb *verb)
{
	const char *operands = operands_of(verb);
	char words[VALUES_MAX];

	fprintf(out, "complete -c bstreamctl -n '__bstreamctl_verb %s'", verb->name);
	if (!strcmp(operands, "names"))
		fprintf(out, " -a '(__bstreamctl_names)'\n");
	else if (!strcmp(operands, "name_files"))
		fprintf(out, " -F -a '(__bstreamctl_names)'\n");
	else if (!strcmp(operands, "mailbox_files"))
		fprintf(out, " -F\n");
	else if (!strcmp(operands, "words"))
		fprintf(out, " -a '%s'\n", words_of(verb, words));
	else if (!strcmp(operands, "verbs"))
		fprintf(out, " -a '(__bstreamctl_verbs)'\n");
	else if (!strcmp(operands, "command"))
		fprintf(out, " -F -a '(__fish_complete_command)'\n");
	else
		fprintf(out, " -f\n");
}

static void fish_print(FILE *out)
{
	char help[HELP_MAX];

	fputs("# fish completion for bstreamctl, made by: bstreamctl completion fish\n\n"
	      "# The verb, if there is one, and whether it is the one asked for.\n"
	      "function __bstreamctl_verb\n"
	      "\tset -l skip 0\n"
	      "\tfor word in (commandline -opc)[2..-1]\n"
	      "\t\tif test $skip = 1\n\t\t\tset skip 0\n"
	      "\t\telse if contains -- $word --socket --color\n\t\t\tset skip 1\n"
	      "\t\telse if not string match -q -- '-*' $word\n"
	      "\t\t\ttest (count $argv) -gt 0; and test $word = $argv[1]\n\t\t\treturn\n\t\tend\n"
	      "\tend\n\treturn 2\nend\n\n"
	      "function __bstreamctl_no_verb\n\t__bstreamctl_verb\n\ttest $status = 2\nend\n\n"
	      "function __bstreamctl_names\n"
	      "\tbstreamctl -q --no-start ls --no-headings -o NAME 2>/dev/null | string replace -r ' .*' ''\nend\n\n"
	      "function __bstreamctl_verbs\n\tprintf '%s\\n'",
	      out);
	for (const struct verb *const *v = verbs; *v; v++)
		fprintf(out, " %s", (*v)->name);
	fputs("\nend\n\ncomplete -c bstreamctl -f\n", out);
	for (const struct verb *const *v = verbs; *v; v++)
		fprintf(out, "complete -c bstreamctl -n __bstreamctl_no_verb -a %s -d '%s'\n",
			(*v)->name, help_of((*v)->help, help));
	fish_options(out, NULL, global_options);
	for (const struct verb *const *v = verbs; *v; v++) {
		fish_options(out, (*v)->name, (*v)->options);
		fish_operands(out, *v);
	}
}

/* ---- the verb -------------------------------------------------------------------------------- */

static int completion_run(const struct call *call)
{
	static const struct {
		const char *name;
		void (*print)(FILE *out);
	} shells[] = { { "bash", bash_print }, { "zsh", zsh_print }, { "fish", fish_print } };

	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (!strcmp(shells[i].name, call->operands[0])) {
			shells[i].print(stdout);
			return CODE_DONE;
		}
	}
	return say_usage(call->operands[0], "no such shell here (bash, zsh, fish)");
}

const struct verb verb_completion = {
	.name = "completion",
	.args = "bash|zsh|fish",
	.help = "print what that shell needs to complete verbs, options and names",
	.examples = { "source <(bstreamctl completion bash)",
		      "bstreamctl completion fish >~/.config/fish/completions/bstreamctl.fish" },
	.operands = OPERANDS_WORD,
	.run = completion_run,
};
