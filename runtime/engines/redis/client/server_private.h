/* SPDX-License-Identifier: MIT
 *
 * What server.c, greeting.c, request.c and subscription.c know of each other.
 * Floor 2.
 */
#ifndef IL_REDIS_SERVER_PRIVATE_H
#define IL_REDIS_SERVER_PRIVATE_H

#include "engines/redis/client/connection.h"
#include "engines/redis/client/server.h"
#include "loop/timer.h"

#include <sys/types.h>

#include "redis_scripts.h"

enum { IL_SUBSCRIPTION_BUCKETS = 64, IL_GREETINGS = 4 };

/* Something that was said, and is to be answered in its turn. */
struct il_expected {
	struct il_list node;
	int64_t at; /* when it was said */
	/* The answer, to be freed by it; NULL: the connection was lost. */
	void (*answered)(struct il_server *s, struct il_expected *e, struct il_reply *r);
	bool pushed; /* it is answered by a push, or an error */
};

struct il_server {
	struct il_list node;
	int users;
	uint32_t generation;
	struct il_url *url;
	int64_t timeout; /* the longest of its objects, ns; */
	bool timeouts_differ; /* they have had others */
	struct il_connection connection;
	bool up; /* it is greeted */
	int64_t opening_until; /* while it is not */
	int64_t retry_at; /* 0: no attempt is to be made */
	int64_t down_since; /* 0: requests are answered, or none is waited for */
	int64_t pause; /* between the last attempt and the next */
	int failed; /* the attempt, at once: to be told on the loop */
	struct il_list expected;
	int64_t heard_at; /* when the last reply came */
	struct il_expected greeting[IL_GREETINGS], ping, before_subscriptions;
	struct il_list requests;
	bool knows[IL_SCRIPTS]; /* the script has been said on this connection */
	int in_flight; /* requests that are sent, and not answered */
	bool holding; /* nothing more is sent until they are answered: it has lost the scripts, or */
	int refused; /* errno: it serves nothing, at the moment */
	struct il_list faces;
	struct il_list subscriptions;
	struct il_list buckets[IL_SUBSCRIPTION_BUCKETS];
	bool subscribing; /* subscriptions may be asked for */
	bool evicts;
	struct il_timer timer;
	int64_t due; /* of the timer, if it is armed */
	char client[17];
	int err; /* of the last failure, */
	char why[320]; /* and why */
};

/* Says a command; it is expected to be answered. 0 or errno. */
int il_server_say(struct il_server *s, struct il_expected *e, const char *command, size_t size);

/* The same of words. */
int il_server_tell(struct il_server *s, struct il_expected *e, int argc, const char *const *argv);

/* Begins to connect, unless that is so already or to be tried later. */
void il_server_connect(struct il_server *s);

/* It is greeted: greeting.c says so. */
void il_server_greeted(struct il_server *s);

/* A request has been answered. */
void il_server_answered(struct il_server *s);

/* Something is due at this time, at the latest. 0 or ENOMEM. */
int il_server_watch(struct il_server *s, int64_t deadline);

/* If it is used no more, and all is answered, it goes; later, on the loop. */
void il_server_rest(struct il_server *s);

/* The connection is of no use any more: another one is made. */
void il_server_fault(struct il_server *s, int err, const char *why);

/* Sets s->err and s->why. */
void il_server_explain(struct il_server *s, int err, const char *why);

/* greeting.c: says who we are, in what language; or the connection is lost. */
void il_server_greet(struct il_server *s);

/* reply.c: the errno of a reply that is an error, and its text without what only the server understands. */
int il_error_of(const struct il_reply *r, char *text, size_t size);

/* reply.c: will the same request do at another time, or at another server? */
bool il_error_passes(const struct il_reply *r);

/* request.c: the next deadline; those who are due are told; what has not been sent is, if it may be; the connection is
 * gone, and what is not patient is told; all are gone. */
int64_t il_requests_due(const struct il_server *s);
void il_requests_expire(struct il_server *s, int64_t now);
void il_requests_send(struct il_server *s);
void il_requests_lost(struct il_server *s, int err, bool patient);
void il_requests_drop(struct il_server *s);

/* command.c: as it is sent, to be freed by free(); whole: with the script itself, instead of its digest. */
struct il_command;
int il_command_format(const struct il_command *c, char **command, size_t *size);
int il_command_make_whole(int script, char **command, size_t *size);

/* subscription.c: the same for what is listened to; what was pushed, to be freed by the caller: false, it makes no
 * sense. */
bool il_subscriptions_wanted(const struct il_server *s);
void il_subscriptions_look(struct il_server *s);
void il_subscriptions_opened(struct il_server *s);
void il_subscriptions_lost(struct il_server *s);
void il_subscriptions_down(struct il_server *s, int err);
void il_subscriptions_drop(struct il_server *s);
bool il_subscriptions_pushed(struct il_server *s, struct il_reply *r);

#endif
