/* SPDX-License-Identifier: MIT
 *
 * A peer of ours on a System V queue, by the bare system calls. queue PATH PROJECT; then a line for each order, and for
 * its answer: send TYPE TEXT · large TYPE SIZE · receive TYPE → TYPE TEXT, or its size if that is over 1000 ·
 * stat → MODE QBYTES · shrink QBYTES · remove.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <unistd.h>

enum { LARGEST = 1 << 20 };

static struct {
	long type;
	char text[LARGEST];
} message;

static void answer(int failed)
{
	if (failed)
		printf("error %d\n", errno);
	else
		puts("ok");
}

static void receive(int id, long type)
{
	ssize_t n = msgrcv(id, &message, LARGEST, type, 0);
	if (n < 0)
		answer(1);
	else if (n > 1000)
		printf("%ld %zd\n", message.type, n);
	else
		printf("%ld %.*s\n", message.type, (int)n, message.text);
}

static void obey(int id, const char *order, long number, const char *text)
{
	struct msqid_ds ds;
	if (!strcmp(order, "send")) {
		message.type = number;
		memcpy(message.text, text, strlen(text));
		answer(msgsnd(id, &message, strlen(text), 0));
	} else if (!strcmp(order, "large")) {
		message.type = number;
		memset(message.text, 'x', (size_t)atol(text));
		answer(msgsnd(id, &message, (size_t)atol(text), 0));
	} else if (!strcmp(order, "receive")) {
		receive(id, number);
	} else if (!strcmp(order, "remove")) {
		answer(msgctl(id, IPC_RMID, NULL));
	} else if (msgctl(id, IPC_STAT, &ds)) {
		answer(1);
	} else if (!strcmp(order, "shrink")) {
		ds.msg_qbytes = (msglen_t)number;
		answer(msgctl(id, IPC_SET, &ds));
	} else {
		printf("%o %lu\n", ds.msg_perm.mode & 0777, ds.msg_qbytes);
	}
}

int main(int argc, char **argv)
{
	char *line = NULL;
	size_t room = 0;
	key_t key = argc == 3 ? ftok(argv[1], atoi(argv[2])) : -1;
	int id = key == -1 ? -1 : msgget(key, IPC_CREAT | 0600);
	if (id < 0)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%d\n", (int)getpid());
	while (getline(&line, &room, stdin) > 0) {
		char order[16] = "";
		long number = 0;
		int at = 0;
		line[strcspn(line, "\n")] = 0;
		sscanf(line, "%15s %ld %n", order, &number, &at);
		obey(id, order, number, at ? line + at : "");
	}
	free(line);
	return 0;
}
