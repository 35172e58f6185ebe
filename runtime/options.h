/* SPDX-License-Identifier: MIT
 *
 * The command line of ipclua: lua(1)'s. Floor 5.
 */
#ifndef IL_OPTIONS_H
#define IL_OPTIONS_H

#include <stdbool.h>

/* What the command line asks for. */
struct il_options {
	bool interactive, version, run, no_environment;
	int script; /* index in argv of the script's name, argc if there is none */
};

/* Reads the options up to the script; returns the bad one, or NULL. */
const char *il_options_read(char **argv, struct il_options *o);

/* Says on standard error what is wrong with an option, and which there are. */
void il_options_usage(const char *progname, const char *bad);

#endif
