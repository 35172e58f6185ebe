/* SPDX-License-Identifier: MIT
 *
 * base/fork.h: the order of hooks, and what a child is told, whether it begins anew or only goes on.
 */
#include "base/fork.h"
#include "check.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char told[64];

static void say(const char *what)
{
	strcat(told, what);
}

static void before(void)
{
	say("b");
}

static void parent(void)
{
	say("p");
}

static void child(void)
{
	say("c");
}

static void first(void)
{
	say("1");
}

static void second(void)
{
	say("2");
}

static void last(void)
{
	say("3");
}

static struct il_fork_hook hooks[] = {
	{ .order = IL_FORK_CHILDREN, .anew = last },
	{ .order = IL_FORK_REMOTE, .before = before, .parent = parent, .child = child, .anew = first },
	{ .order = IL_FORK_REMOTE, .anew = second },
};

/* In a child: its exit status is 0 if check() found nothing wrong. */
static void in_child(void (*check)(void))
{
	int status;
	pid_t pid = fork();
	if (!pid) {
		check();
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void goes_on(void)
{
	CHECK(strcmp(told, "bc") == 0);
	CHECK(il_fork.generation == 2 && il_fork.beginnings == 0 && il_fork.pid == getpid());
	CHECK(il_fork_is_own(2) && !il_fork_is_own(1));
}

static void grandchild(void)
{
	CHECK(strcmp(told, "bc123bc") == 0);
	CHECK(il_fork.generation == 3 && il_fork.beginnings == 1);
}

static void begins_anew(void)
{
	il_fork_begin_anew();
	CHECK(strcmp(told, "bc123") == 0 && il_fork.beginnings == 1);
	in_child(grandchild);
}

int main(void)
{
	il_fork_init();
	il_fork_init();
	for (int round = 0; round < 2; round++) /* added once */
		for (size_t i = 0; i < sizeof hooks / sizeof hooks[0]; i++)
			il_fork_add(&hooks[i]);
	CHECK(il_fork_is_own(1) && il_fork.pid == getpid());
	in_child(goes_on);
	CHECK(strcmp(told, "bp") == 0 && il_fork_is_own(1));
	told[0] = '\0';
	in_child(begins_anew);
	puts("ok");
	return 0;
}
