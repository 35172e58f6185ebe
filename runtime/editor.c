/* SPDX-License-Identifier: MIT
 *
 * Line editing by libedit, which is loaded when the first prompt is shown, so that scripts start without it. Its callback
 * interface takes one character at a time. However the program ends while a line is edited, the terminal is put back
 * as it was.
 * Floor 5; knows no Lua.
 */
#include "editor.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { HISTORY_LINES = 1000 };

static struct {
	void *library;
	void (*install)(const char *prompt, void (*line)(char *));
	void (*remove)(void);
	void (*read_char)(void);
	int (*add_history)(const char *);
	int (*read_history)(const char *);
	int (*write_history)(const char *);
	void (*using_history)(void);
	void (*stifle_history)(int);
} edit;

static char *entered; /* the line, malloc'ed by libedit; NULL at the end of the input */
static bool complete; /* `entered` is valid */
static struct termios before;
static volatile sig_atomic_t editing; /* the terminal is libedit's */
static pid_t owner;

/* The settings are put back here too: libedit leaves that for later in some of its versions. */
void il_editor_end(void)
{
	edit.remove();
	if (editing)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	editing = false;
}

static void on_line(char *line)
{
	entered = line;
	complete = true;
	il_editor_end();
}

/* A function of the library; a cast that ISO C does not have and POSIX requires to work. */
static bool symbol(void *slot, const char *name)
{
	void *found = dlsym(edit.library, name);
	memcpy(slot, &found, sizeof found);
	return found != NULL;
}

static bool load_library(void)
{
	if (!isatty(STDIN_FILENO) || !(edit.library = dlopen("libedit.so.2", RTLD_NOW | RTLD_LOCAL)))
		return false;
	bool whole = symbol(&edit.install, "rl_callback_handler_install") &&
		     symbol(&edit.remove, "rl_callback_handler_remove") &&
		     symbol(&edit.read_char, "rl_callback_read_char") && symbol(&edit.add_history, "add_history") &&
		     symbol(&edit.read_history, "read_history") && symbol(&edit.write_history, "write_history") &&
		     symbol(&edit.using_history, "using_history") &&
		     symbol(&edit.stifle_history, "stifle_history");
	if (!whole) {
		dlclose(edit.library);
		edit.library = NULL;
	}
	return whole;
}

static const char *history_file(void)
{
	static char path[4096];
	const char *home = getenv("HOME");
	if (!home || snprintf(path, sizeof path, "%s/.ipclua_history", home) >= (int)sizeof path)
		return NULL;
	return path;
}

/* At exit, from wherever: a task may call os.exit while a line is edited. Not in a child that was forked. */
static void leave(void)
{
	if (getpid() != owner)
		return;
	if (editing)
		il_editor_end();
	if (history_file())
		edit.write_history(history_file());
}

static void on_fatal(int number)
{
	struct sigaction fresh = { .sa_handler = SIG_DFL };
	if (editing && getpid() == owner)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	sigaction(number, &fresh, NULL);
	raise(number); /* arrives when the handler returns */
}

/* Ctrl-Z: the shell gets its terminal back as it was, and so do we. */
static void on_stop(int number)
{
	struct sigaction fresh = { .sa_handler = SIG_DFL }, mine;
	struct termios ours;
	sigset_t set;
	bool ready = editing && tcgetattr(STDIN_FILENO, &ours) == 0;
	if (ready)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	sigaction(number, &fresh, &mine);
	sigemptyset(&set);
	sigaddset(&set, number);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL); /* stops here */
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(number, &mine, NULL);
	if (ready)
		tcsetattr(STDIN_FILENO, TCSANOW, &ours);
}

/* For signals that would end or stop the program; those that are ignored or have a handler stay as they are. */
static void guard_terminal(void)
{
	static const int numbers[] = { SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
	struct sigaction mine = { .sa_flags = SA_RESTART }, now;
	sigemptyset(&mine.sa_mask);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		mine.sa_handler = numbers[i] == SIGTSTP ? on_stop : on_fatal;
		if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
			sigaction(numbers[i], &mine, NULL);
	}
}

bool il_editor_open(void)
{
	if (edit.library)
		return true;
	if (!load_library())
		return false;
	/* its handlers would signal the whole process group, and stay while our code runs */
	int *catch_signals = dlsym(edit.library, "rl_catch_signals");
	if (catch_signals)
		*catch_signals = 0;
	edit.using_history();
	edit.stifle_history(HISTORY_LINES);
	if (history_file())
		edit.read_history(history_file());
	owner = getpid();
	guard_terminal();
	atexit(leave);
	return true;
}

void il_editor_begin(const char *prompt)
{
	bool known = tcgetattr(STDIN_FILENO, &before) == 0;
	complete = false;
	editing = known;
	edit.install(prompt, on_line);
}

bool il_editor_step(char **line)
{
	edit.read_char();
	*line = complete ? entered : NULL;
	return complete;
}

void il_editor_remember(const char *line)
{
	if (edit.library)
		edit.add_history(line);
}
