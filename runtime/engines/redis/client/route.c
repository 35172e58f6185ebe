/* SPDX-License-Identifier: MIT
 *
 * Which node of a server is connected to next, see route.h. Floor 2.
 */
#include "engines/redis/client/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void il_route_init(struct il_route *r, const struct il_url *url)
{
	*r = (struct il_route){ .url = url, .left = url->hosts };
}

const struct il_host *il_route_node(const struct il_route *r)
{
	return r->named ? &r->node : &r->url->host[r->at];
}

bool il_route_is_sentinel(const struct il_route *r)
{
	return r->url->sentinel && !r->named;
}

bool il_route_is_one_of_many(const struct il_route *r)
{
	return r->url->sentinel || r->url->hosts > 1;
}

bool il_route_next(struct il_route *r)
{
	r->named = r->moved = false;
	r->at = (r->at + 1) % r->url->hosts;
	if (--r->left > 0)
		return true;
	r->left = r->url->hosts;
	return false;
}

void il_route_restart(struct il_route *r)
{
	r->left = r->url->hosts;
	r->named = r->moved = false;
}

bool il_route_name(struct il_route *r, const char *name, const char *port)
{
	long number = strtol(port, NULL, 10);
	if (!*name || strlen(name) >= sizeof r->name || number < 1 || number > 65535)
		return false;
	memmove(r->name, name, strlen(name) + 1); /* it may be that one */
	r->node = (struct il_host){ .name = r->name, .port = (int)number };
	r->named = true;
	return true;
}

bool il_route_is_named(const struct il_route *r, const char *name, const char *port)
{
	return r->named && strcmp(r->name, name) == 0 && r->node.port == atoi(port);
}

const struct il_host *il_route_next_sentinel(struct il_route *r)
{
	r->at = (r->at + 1) % r->url->hosts;
	return &r->url->host[r->at];
}

/* Without a host it is the one that said so. */
bool il_route_follow(struct il_route *r, const char *reply)
{
	char copy[sizeof r->name + 32], *slot, *host, *port;
	snprintf(copy, sizeof copy, "%s", reply);
	slot = strchr(copy, ' ');
	host = slot ? strchr(slot + 1, ' ') : NULL;
	port = host ? strrchr(host, ':') : NULL;
	if (!port || r->moved)
		return false;
	*port++ = 0;
	r->moved = il_route_name(r, host[1] ? host + 1 : il_route_node(r)->name, port);
	return r->moved;
}

void il_route_show(const struct il_route *r, char *text, size_t size)
{
	const struct il_host *h = il_route_node(r);
	const char *what = il_route_is_sentinel(r) ? "sentinel" : "server";
	if (h->port)
		snprintf(text, size, "redis %s %s:%d", what, h->name, h->port);
	else
		snprintf(text, size, "redis %s %s", what, h->name);
}
