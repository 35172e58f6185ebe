/* SPDX-License-Identifier: MIT
 *
 * The table of file locks, see lock_table.h. Of its lines
 *   1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF
 *   1: -> FLOCK  ADVISORY  WRITE 4712 08:01:1234 0 EOF
 * the second is of a process that waits. The device is not compared: some file systems show another one in stat(2).
 * Floor 1b.
 */
#include "os/lock_table.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT = 4096 };

static bool tells(const char *line, unsigned long inode)
{
	unsigned long number;
	return sscanf(line, "%*d: -> FLOCK %*s %*s %*d %*x:%*x:%lu", &number) == 1 && number == inode;
}

/* Looks at the whole lines of a text, and moves what is behind them to its front. */
static bool search(char *text, size_t *length, unsigned long inode)
{
	char *line = text, *end;
	bool found = false;
	while (!found && (end = memchr(line, '\n', *length - (size_t)(line - text)))) {
		*end = '\0';
		found = tells(line, inode);
		line = end + 1;
	}
	*length -= (size_t)(line - text);
	memmove(text, line, *length);
	return found;
}

bool il_flock_awaited(ino_t inode)
{
	char text[TEXT];
	size_t length = 0;
	ssize_t n = 0;
	bool found = false;
	int fd = open("/proc/locks", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && !found && length < sizeof text && (n = read(fd, text + length, sizeof text - length)) > 0) {
		length += (size_t)n;
		found = search(text, &length, inode);
	}
	if (fd >= 0)
		close(fd);
	return found;
}
