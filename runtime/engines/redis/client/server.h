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
#include "engines/redis/client/sentinel.h"
#include "loop/timer.h"

#include "redis_scripts.h" /* enum il_script: IL_SCRIPT_queue_send is queue_send.lua; made at build */

enum { IL_SUBSCRIPTION_BUCKETS = 64 };

/* What every object of the server has. */
struct il_server_object {
	struct il_list node;
	int64_t timeout; /* ns */
	void (*forked)(struct il_server_object *o); /* in a forked child: all requests and answers are the parent's */
};

struct il_server {
	struct il_list node; /* in state.h */
	int users;
	uint32_t generation; /* of the process: see base/fork.h */
	struct il_url *url;
	struct il_list objects;
	int64_t timeout; /* the longest of theirs; ns; 0: to be found out */
	char client[17];
	/* connection */
	struct il_connection connection;
	struct il_route route;
	struct il_sentinel sentinel; /* stays open, to hear of the next master */
	bool querying; /* it is to name the master; then the connection is made */
	bool up; /* the server has answered the greeting */
	int64_t opening_until; /* while it has not */
	int64_t retry_at; /* 0: no attempt is to be made */
	int64_t watch_at; /* the same of the sentinel */
	int64_t down_since; /* 0: requests are answered, or none waits */
	int64_t pause; /* between the last attempt and the next */
	int failed; /* errno of an attempt that failed at once: the loop reports it */
	int64_t replied_at; /* the last reply */
	bool evicts;
	struct il_timer timer;
	int64_t due; /* of the timer, if it is armed */
	int err; /* of the last failure, */
	char why[400]; /* in words */
	/* request.c */
	struct il_list requests; /* not answered, in order */
	struct il_list flying; /* those that the server has to answer, in order */
	bool knows[IL_SCRIPTS]; /* the script was sent whole on this connection */
	int refused; /* errno: nothing is sent until those in flight are answered; then see go_on() */
	/* subscription.c */
	struct il_list buckets[IL_SUBSCRIPTION_BUCKETS]; /* of listeners */
	int listeners;
	bool subscribing; /* SUBSCRIBE may be sent */
	uint32_t round;
};

/* The server of a URL, for an object; counted. 0 or ENOMEM. */
int il_server_get(struct il_url *url, struct il_server_object *o, struct il_server **s);
void il_server_put(struct il_server *s, struct il_server_object *o);

/* 16 letters and digits, by which the scripts know this process; others in a forked child. */
const char *il_server_client(const struct il_server *s);

/* Begins to connect, unless that has begun, or is to be tried later. */
void il_server_connect(struct il_server *s);

/* Writes now what was sent, instead of when the loop asks the kernel next: for a caller that may keep the loop
 * waiting. */
void il_server_flush(struct il_server *s);

/* Reads what has come, for a caller that the loop has kept waiting. */
void il_server_read(struct il_server *s);

/* Something is due at this time, at the latest. 0 or ENOMEM. */
int il_server_watch(struct il_server *s, int64_t deadline);

/* The longest timeout of the objects; ns. */
int64_t il_server_timeout(struct il_server *s);

/* A request was answered: patience with the server begins anew. */
void il_server_answered(struct il_server *s);

/* Frees it on the loop, if nothing uses it any more. */
void il_server_release_if_idle(struct il_server *s);

/* The greeting is answered. */
void il_server_greeted(struct il_server *s);

/* The connection is of no use any more: it is closed, and another one made. why NULL: s->why says it already, or with
 * EPROTO that the answer makes no sense. */
void il_server_fault(struct il_server *s, int err, const char *why);

/* The route names another node: the connection is closed, and one to that node made. */
void il_server_move(struct il_server *s);

/* Sets s->err and s->why. */
void il_server_explain(struct il_server *s, int err, const char *why);

/* In a forked child: the connections are the parent's, and so are all requests. */
void il_servers_after_fork(void);

/* At the end of the process: waits a moment for answers to what was sent last. */
void il_servers_fini(void);

#endif
