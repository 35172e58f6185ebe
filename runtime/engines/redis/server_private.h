/* SPDX-License-Identifier: MIT
 *
 * What server.c, request.c and topic.c know of each other.
 * Floor 2.
 */
#ifndef IL_REDIS_SERVER_PRIVATE_H
#define IL_REDIS_SERVER_PRIVATE_H

#include "engines/redis/link.h"
#include "engines/redis/server.h"
#include "loop/timer.h"

#include <sys/types.h>

enum { IL_REQUESTS, IL_TOPICS }; /* which of the two connections */

struct il_line_up {
	struct il_link link;
	struct il_server *server;
	int64_t opening_until; /* while it connects */
	int64_t retry_at;      /* 0: no attempt is to be made */
	int64_t down_since;    /* 0: it is not, or nobody minds */
	int64_t pause;         /* between the last attempt and the next */
	int failed;            /* the attempt, at once: to be told on the loop */
	char why[256];
};

struct il_server {
	struct il_list node;
	int users;
	pid_t pid;
	struct il_url *url;
	struct il_line_up lines[2];
	struct il_list requests;
	struct il_list faces;
	struct il_list topics;
	struct il_timer timer;
	int64_t due;           /* of the timer, if it is armed */
	bool reloading;        /* the server has lost the scripts: nothing is sent until all that was sent is answered */
	int loads;             /* answers about scripts that are due before anything else is sent */
	char client[17];
	char why[320];         /* of the last failure */
};

/* Begins to connect, unless that is so already or to be tried later. */
void il_server_connect(struct il_server *s, int which);

/* Something is due at another time than before. */
void il_server_schedule(struct il_server *s);

/* The same for a new request, which could not be given up without the timer. 0 or ENOMEM. */
int il_server_watch(struct il_server *s, int64_t deadline);

/* If nobody uses it any more, and all is answered, it goes. */
void il_server_rest(struct il_server *s);

/* What the server says makes no sense: the connection for requests is as good as lost. */
void il_server_fault(struct il_server *s, int err, const char *why);

/* Sets s->why. */
void il_server_explain(struct il_server *s, const char *why);

/* request.c: the next deadline; there is a connection; it is gone, and who is not patient is told; all are gone. */
int64_t il_requests_due(const struct il_server *s);
void il_requests_opened(struct il_server *s);
void il_requests_lost(struct il_server *s, int err, bool patient);
void il_requests_drop(struct il_server *s);

/* call.c: as it is sent, to be freed by redisFreeCommand; a script. */
struct il_call;
struct il_script_source;
int il_call_format(const struct il_call *c, char **command, size_t *size);
const struct il_script_source *il_script(size_t i);

/* topic.c: the same for what is listened to. */
bool il_topics_wanted(const struct il_server *s);
void il_topics_opened(struct il_server *s);
void il_topics_lost(struct il_server *s);
void il_topics_down(struct il_server *s, int err);
void il_topics_drop(struct il_server *s);

#endif
