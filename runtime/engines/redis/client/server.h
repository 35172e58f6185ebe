/* SPDX-License-Identifier: MIT
 *
 * A Redis server as this process uses it: one connection, shared by all objects and tasks, for requests and for what is
 * published. It is made when first needed, and again when lost. A forked child has its own.
 *
 * The server is healthy only while it answers. The connection is closed, and a new one made, when a command is not
 * answered within the longest ?timeout= of the objects in use; after ten seconds of silence in which something waits, a
 * PING is such a command. Waits go on for ten seconds without a server; only the answer to a request starts that time
 * anew. Floor 2.
 */
#ifndef IL_REDIS_SERVER_H
#define IL_REDIS_SERVER_H

#include "base/list.h"
#include "engines/redis/client/connection.h"
#include "engines/redis/client/route.h"
#include "loop/timer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redis_scripts.h"

enum { IL_SUBSCRIPTION_BUCKETS = 64, IL_GREETINGS = 4, IL_SERVER_PARTS = 2 };

struct il_server;

/* A command that was sent. Answers come in the order of the commands. */
struct il_expected {
	struct il_list node;
	int64_t at; /* when it was sent */
	/* The answer, to be freed by it; NULL: the connection was lost. */
	void (*answered)(struct il_server *s, struct il_expected *e, struct il_reply *r);
	bool pushed; /* it is answered by a push, or an error */
};

/* What uses the connection: requests, and subscriptions. The server calls these on the loop. NULL: nothing to do. */
struct il_server_part {
	bool (*wanted)(const struct il_server *s); /* does anything wait for the server? */
	int64_t (*due)(const struct il_server *s); /* the next deadline, or IL_NEVER */
	void (*expire)(struct il_server *s, int64_t now);
	void (*opened)(struct il_server *s);
	void (*lost)(struct il_server *s);
	/* After `lost` of all parts; patient: waits go on. */
	void (*without)(struct il_server *s, int err, bool patient);
	bool (*pushed)(struct il_server *s, struct il_reply *r); /* false: it makes no sense */
	void (*drop)(struct il_server *s); /* forget everything, tell nothing */
};

/* What every object of the server has. */
struct il_server_object {
	struct il_list node;
	int64_t timeout; /* ns */
	void (*forked)(struct il_server_object *o); /* in a forked child: what was asked, and heard, is the parent's */
};

struct il_server {
	struct il_list node;
	int users;
	uint32_t generation; /* of the process: see base/fork.h */
	struct il_url *url;
	struct il_list objects;
	int64_t timeout; /* the longest of the objects', ns */
	bool timeouts_differ;
	char client[17];
	const struct il_server_part *const *part;
	/* connection */
	struct il_connection connection;
	struct il_route route;
	bool up; /* it is greeted */
	int64_t opening_until; /* while it is not */
	int64_t retry_at; /* 0: no attempt is to be made */
	int64_t down_since; /* 0: requests are answered, or none waits */
	int64_t pause; /* between the last attempt and the next */
	int failed; /* errno of an attempt that failed at once: the loop tells it */
	struct il_list expected;
	int64_t heard_at; /* the last reply */
	struct il_expected greeting[IL_GREETINGS], ping;
	bool evicts;
	struct il_timer timer;
	int64_t due; /* of the timer, if it is armed */
	int err; /* of the last failure, */
	char why[400]; /* in words */
	/* request.c */
	struct il_list requests;
	bool knows[IL_SCRIPTS]; /* the script was sent whole on this connection */
	int in_flight; /* requests sent and not answered */
	bool holding; /* nothing is sent until they are answered: the server has lost the scripts, or */
	int refused; /* errno: serves nothing at the moment */
	/* subscription.c */
	struct il_list subscriptions;
	struct il_list buckets[IL_SUBSCRIPTION_BUCKETS];
	struct il_expected before_subscriptions;
	bool subscribing; /* channels may be asked for */
};

/* The server of a URL, for an object; counted. `parts` is kept. 0 or ENOMEM. */
int il_server_get(struct il_url *url, const struct il_server_part *const parts[IL_SERVER_PARTS],
	struct il_server_object *o, struct il_server **s);
void il_server_put(struct il_server *s, struct il_server_object *o);

/* 16 letters and digits, by which the scripts know this process; others in a forked child. */
const char *il_server_client(const struct il_server *s);

/* Begins to connect, unless that has begun, or is to be tried later. */
void il_server_connect(struct il_server *s);

/* Sends a command, in bytes or words. The answer is for *e. 0 or errno. */
int il_server_send(struct il_server *s, struct il_expected *e, const char *command, size_t size);
int il_server_send_words(struct il_server *s, struct il_expected *e, int argc, const char *const *argv);

/* Writes now what was sent, instead of when the loop asks the kernel next: for a caller that may keep the loop
 * waiting. */
void il_server_flush(struct il_server *s);

/* Reads what has come, for a caller that the loop has kept waiting. */
void il_server_read(struct il_server *s);

/* Something is due at this time, at the latest. 0 or ENOMEM. */
int il_server_watch(struct il_server *s, int64_t deadline);

/* A request was answered: patience with the server begins anew. */
void il_server_answered(struct il_server *s);

/* Frees it on the loop, if nothing uses it any more. */
void il_server_release_if_idle(struct il_server *s);

/* The greeting is answered. */
void il_server_greeted(struct il_server *s);

/* The connection is of no use any more: it is closed, and another one made. why NULL: s->why says it already. */
void il_server_fault(struct il_server *s, int err, const char *why);

/* The route names another node: the connection is closed, and one to that node made. No request is in flight. */
void il_server_move(struct il_server *s);

/* Sets s->err and s->why. */
void il_server_explain(struct il_server *s, int err, const char *why);

/* In a forked child: the connections are the parent's, and so are all requests. */
void il_servers_after_fork(void);

/* At the end of the process: waits a moment for answers to what was sent last. */
void il_servers_fini(void);

#endif
