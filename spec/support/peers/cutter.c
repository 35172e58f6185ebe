/* SPDX-License-Identifier: MIT
 *
 * A bad network between programs and a server: `cutter LISTEN SERVER`, both paths of unix sockets, passes bytes on both ways.
 * It obeys lines: "cut" closes all connections; "mute" swallows what the server says from now on, "hear" no more; "shut"
 * takes no new connections, "open" does. Each is answered by a line, the number of connections.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PAIRS = 256 };

static struct pollfd fds[2 + 2 * PAIRS]; /* standard input, the listener, then both ends of each connection */
static int count = 2;
static int mute, shut;

static int reach(const char *path, int listening)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strncpy(a.sun_path, path, sizeof a.sun_path - 1);
	if ((listening ? bind : connect)(fd, (struct sockaddr *)&a, sizeof a) || (listening && listen(fd, 128))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void drop(int i) /* the connection whose first end is i */
{
	close(fds[i].fd);
	close(fds[i + 1].fd);
	count -= 2;
	memmove(&fds[i], &fds[i + 2], (size_t)(count - i) * sizeof fds[0]);
}

static void take(const char *server)
{
	int fd = accept(fds[1].fd, NULL, NULL);
	int to = fd < 0 || shut || count + 2 > 2 + 2 * PAIRS ? -1 : reach(server, 0);
	if (to < 0) {
		close(fd);
		return;
	}
	fds[count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
	fds[count++] = (struct pollfd){ .fd = to, .events = POLLIN };
}

static int pass_on(int i)
{
	static char bytes[65536];
	int client = i % 2 == 0;
	ssize_t n = read(fds[i].fd, bytes, sizeof bytes), done = 0;
	if (n <= 0)
		return -1;
	while (done < n && (client || !mute)) {
		ssize_t w = send(fds[i ^ 1].fd, bytes + done, (size_t)(n - done), MSG_NOSIGNAL);
		if (w < 0)
			return -1;
		done += w;
	}
	return 0;
}

static void obey(void)
{
	char line[32];
	if (!fgets(line, sizeof line, stdin))
		exit(0);
	mute = line[0] == 'm' || (mute && line[0] != 'h');
	shut = line[0] == 's' || (shut && line[0] != 'o');
	printf("%d\n", (count - 2) / 2);
	while (line[0] == 'c' && count > 2)
		drop(2);
}

int main(int argc, char **argv)
{
	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	int listener = argc == 3 ? reach(argv[1], 1) : -1;
	if (listener < 0)
		return 1;
	fds[0] = (struct pollfd){ .fd = 0, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = listener, .events = POLLIN };
	printf("%d\n", (int)getpid());
	for (;;) {
		poll(fds, (nfds_t)count, -1);
		if (fds[0].revents) {
			obey();
			continue; /* what poll said of the others may not be so any more */
		}
		if (fds[1].revents)
			take(argv[2]);
		for (int i = 2; i < count; i++)
			if (fds[i].revents && pass_on(i)) {
				drop(i & ~1);
				break;
			}
	}
}
