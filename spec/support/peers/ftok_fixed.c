/* SPDX-License-Identifier: MIT
 *
 * To be preloaded: an ftok(3) whose key is what the environment says. Files with the keys 0 and -1 are hard to find.
 */
#include <stdlib.h>
#include <sys/ipc.h>

key_t ftok(const char *path, int project)
{
	(void)path;
	return atoi(getenv("FTOK_KEY")) + project;
}
