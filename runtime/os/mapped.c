/* SPDX-License-Identifier: MIT
 *
 * What processes have mapped, see mapped.h. Floor 1b.
 */
#include "os/mapped.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

typedef void found_fn(void *arg, pid_t pid, uint64_t device, uint64_t inode);

/* "start-end rights offset major:minor inode path" */
static void read_line(const char *line, pid_t pid, found_fn *found, void *arg)
{
	unsigned major, minor;
	unsigned long long inode;
	if (sscanf(line, "%*s %*s %*s %x:%x %llu", &major, &minor, &inode) == 3 && inode)
		found(arg, pid, makedev(major, minor), inode);
}

/* Whose process it is: the owner of its folder. One that has ended hides nothing. */
static void note_hidden(pid_t pid, struct il_mapped *m)
{
	char path[32];
	struct stat st;
	snprintf(path, sizeof path, "/proc/%d", (int)pid);
	if (stat(path, &st))
		return;
	m->hidden = true;
	m->hidden_own |= st.st_uid == geteuid();
}

static void read_process(pid_t pid, found_fn *found, void *arg, struct il_mapped *m)
{
	char path[32], *line = NULL;
	size_t room = 0;
	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	if (!maps) {
		if (errno != ENOENT && errno != ESRCH)
			note_hidden(pid, m);
		return;
	}
	errno = 0;
	while (getline(&line, &room, maps) > 0)
		read_line(line, pid, found, arg);
	if (errno == EACCES || errno == EPERM)
		note_hidden(pid, m);
	free(line);
	fclose(maps);
}

void il_mapped_each(found_fn *found, void *arg, struct il_mapped *m)
{
	DIR *processes = opendir("/proc");
	*m = (struct il_mapped){ .hidden = !processes, .hidden_own = !processes };
	for (struct dirent *e; processes && (e = readdir(processes));) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		if (pid > 0)
			read_process(pid, found, arg, m);
	}
	if (processes)
		closedir(processes);
}
