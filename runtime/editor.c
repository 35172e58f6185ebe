/* SPDX-License-Identifier: MIT
 *
 * Line editing by libedit, which is loaded when the first prompt is shown, so that scripts start without it. It gets
 * its characters from us, and each byte of them is waited for by the caller's function, also in the middle of a key's
 * sequence. Inside the library a locale of its own is in force: what a byte means is the terminal's affair, and the
 * program's numbers and patterns are not to know. However the program ends while a line is edited, the terminal is put
 * back as it was.
 * Floor 5; knows no Lua.
 */
#include "editor.h"
#include "base/fork.h"

#include <dlfcn.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

enum { HISTORY_LINES = 1000, REPLACEMENT = 0xfffd };

static struct {
	void *library;
	void (*install)(const char *prompt, void (*line)(char *));
	void (*remove)(void);
	void (*read_char)(void);
	int (**getc)(FILE *);
	int (*add_history)(const char *);
	int (*read_history)(const char *);
	int (*write_history)(const char *);
	void (*using_history)(void);
	void (*stifle_history)(int);
} edit;

static char *entered; /* the line, malloc'ed by libedit; NULL at the end of the input */
static bool complete; /* `entered` is valid */
static bool stopped; /* the caller's wait said so */
static struct {
	bool (*wait)(void *arg);
	void *arg;
	int again; /* a byte that is to be read once more; -1: none */
} input = { .again = -1 };
static locale_t inside, outside; /* in force while the library runs (0: none could be made), and else */
static struct termios before;
static volatile sig_atomic_t editing; /* the terminal is libedit's */
static uint32_t owner;

static void begin(const char *prompt, void (*on_line)(char *))
{
	editing = tcgetattr(STDIN_FILENO, &before) == 0;
	edit.install(prompt, on_line);
}

/* The settings are put back here too: libedit leaves that for later in some of its versions. */
static void end(void)
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
}

/* UTF-8 where the environment does not say, or names what this machine does not have. */
static locale_t terminal_locale(void)
{
	locale_t named = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	if (named && strcmp(nl_langinfo_l(CODESET, named), "ANSI_X3.4-1968") != 0)
		return named;
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (!utf8)
		return named;
	if (named)
		freelocale(named);
	return utf8;
}

/* The terminal's next byte; -1: stopped, or there are no more. */
static int next_byte(void)
{
	unsigned char c;
	ssize_t n;
	int again = input.again;
	input.again = -1;
	if (again >= 0)
		return again;
	if (stopped || complete)
		return -1;
	do {
		uselocale(outside);
		stopped = !input.wait(input.arg);
		uselocale(inside);
		if (stopped)
			return -1;
		n = read(STDIN_FILENO, &c, 1);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n == 1)
		return c;
	complete = true; /* a terminal that was hung up */
	entered = NULL;
	return -1;
}

/* libedit's source of characters. Bytes that are none are replaced, and so seen; the one after them begins anew. */
static int next_char(FILE *file)
{
	wchar_t c;
	mbstate_t state = { 0 };
	(void)file;
	for (int byte, size = 1; (byte = next_byte()) >= 0; size++) {
		size_t got = mbrtowc(&c, &(char){ (char)byte }, 1, &state);
		if (got == (size_t)-1 && size > 1)
			input.again = byte;
		if (got != (size_t)-2)
			return got == (size_t)-1 ? REPLACEMENT : (int)c;
	}
	return -1;
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
		symbol(&edit.read_char, "rl_callback_read_char") && symbol(&edit.getc, "rl_getc_function") &&
		symbol(&edit.add_history, "add_history") && symbol(&edit.read_history, "read_history") &&
		symbol(&edit.write_history, "write_history") && symbol(&edit.using_history, "using_history") &&
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
	if (!il_fork_is_own(owner))
		return;
	uselocale(inside);
	if (editing)
		end();
	if (history_file())
		edit.write_history(history_file());
}

static void on_fatal(int number)
{
	struct sigaction fresh = { .sa_handler = SIG_DFL };
	if (editing && il_fork_is_own(owner))
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
	*edit.getc = next_char;
	inside = terminal_locale();
	outside = uselocale(inside);
	edit.using_history();
	edit.stifle_history(HISTORY_LINES);
	if (history_file())
		edit.read_history(history_file());
	uselocale(outside);
	owner = il_fork.generation;
	guard_terminal();
	atexit(leave);
	return true;
}

/* If it has gone (SIGHUP may be ignored), the library reads nothing, and does not say so: that is the end of the input.
 */
static bool terminal_is_there(void)
{
	struct termios now;
	return tcgetattr(STDIN_FILENO, &now) == 0;
}

bool il_editor_line(const char *prompt, bool (*wait)(void *arg), void *arg, char **line)
{
	input.wait = wait;
	input.arg = arg;
	complete = stopped = false;
	entered = NULL;
	outside = uselocale(inside);
	begin(prompt, on_line);
	while (!complete && !stopped && terminal_is_there())
		edit.read_char();
	end();
	uselocale(outside);
	if (stopped) /* in a search, libedit takes that for the end */
		free(entered);
	*line = stopped ? NULL : entered;
	return !stopped;
}

void il_editor_remember(const char *line)
{
	if (!edit.library)
		return;
	outside = uselocale(inside);
	edit.add_history(line);
	uselocale(outside);
}
