/* SPDX-License-Identifier: MIT
 *
 * A function for package.loadlib: the next children of this process are in a pid namespace of their own.
 */
#include <sched.h>

int enter(void *L);

int enter(void *L)
{
	(void)L;
	unshare(CLONE_NEWPID);
	return 0;
}
