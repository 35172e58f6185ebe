/* SPDX-License-Identifier: MIT
 *
 * The command line of ipclua. What is accepted, and what is said of the rest, is what lua5.4 has; nothing is run here.
 * Floor 5.
 */
#include "options.h"

#include <lauxlib.h>
#include <stddef.h>
#include <stdio.h>

const char *il_options_read(char **argv, struct il_options *o)
{
	int i;
	for (i = 1; argv[i]; i++) {
		o->script = i;
		if (argv[i][0] != '-')
			return NULL;
		switch (argv[i][1]) {
		case '-':
			if (argv[i][2])
				return argv[i];
			o->script = i + 1;
			return NULL;
		case '\0': /* '-': the script is stdin */ return NULL;
		case 'E':
			if (argv[i][2])
				return argv[i];
			o->no_environment = true;
			break;
		case 'W':
			if (argv[i][2])
				return argv[i];
			break;
		case 'i':
			o->interactive = true; /* fall through: -i implies -v */
			/* FALLTHROUGH */
		case 'v':
			if (argv[i][2])
				return argv[i];
			o->version = true;
			break;
		case 'e':
			o->run = true;
			/* FALLTHROUGH */
		case 'l':
			if (!argv[i][2] && (!argv[++i] || argv[i][0] == '-'))
				return argv[i - 1];
			break;
		default: return argv[i];
		}
	}
	o->script = i;
	return NULL;
}

void il_options_usage(const char *progname, const char *bad)
{
	lua_writestringerror("%s: ", progname);
	if (bad[1] == 'e' || bad[1] == 'l')
		lua_writestringerror("'%s' needs argument\n", bad);
	else
		lua_writestringerror("unrecognized option '%s'\n", bad);
	lua_writestringerror("usage: %s [options] [script [args]]\n"
			     "Available options are:\n"
			     "  -e stat   execute string 'stat'\n"
			     "  -i        enter interactive mode after executing 'script'\n"
			     "  -l mod    require library 'mod' into global 'mod'\n"
			     "  -l g=mod  require library 'mod' into global 'g'\n"
			     "  -v        show version information\n"
			     "  -E        ignore environment variables\n"
			     "  -W        turn warnings on\n"
			     "  --        stop handling options\n"
			     "  -         stop handling options and execute stdin\n",
		progname);
}
