/* SPDX-License-Identifier: MIT
 *
 * What the board is told of waits, see park.h. That takes about as long as a task switch: texts that a record has
 * already are not written again. Floor 3.
 */
#include "sched/park.h"
#include "base/clock.h"
#include "sched/error.h"
#include "sched/object.h"
#include "sched/select.h"

#include <string.h>

enum { CLASSES = 24, LEVELS = 16 };

static struct {
	const char *class;
	const struct il_cases *cases;
} classes[CLASSES];

void il_park_class(const char *class, const struct il_cases *cases)
{
	int i = 0;
	while (i < CLASSES - 1 && classes[i].class && classes[i].class != class)
		i++;
	classes[i].class = class;
	classes[i].cases = cases;
}

static void describe(const void *object, const struct il_cases *cases, struct il_described *d)
{
	*d = (struct il_described){ .key = "" };
	if (object && cases && cases->describe)
		cases->describe(object, d);
}

/* The object whose method L is in. */
static void describe_self(lua_State *L, struct il_described *d)
{
	const struct il_object *o = lua_touserdata(L, 1);
	const struct il_cases *cases = NULL;
	if (o && lua_rawlen(L, 1) >= sizeof *o)
		for (int i = 0; i < CLASSES && classes[i].class && !cases; i++)
			if (classes[i].class == o->class)
				cases = classes[i].cases;
	describe(o, cases, d);
}

static void copy(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size - 1);
	memcpy(to, from, n);
	to[n] = '\0';
}

#define COPY(to, from) copy(to, sizeof(to), from)

/* `type` stands for the name of the call. */
static void write_call(struct il_board_record *r, struct il_board_shadow *s, const void *type, const char *name,
	const struct il_described *d)
{
	r->object = d->object;
	r->other = d->other;
	if (s->type == type && s->object == d->object)
		return;
	s->type = type;
	s->object = d->object;
	COPY(r->call, name);
	COPY(r->key, d->key);
}

/* The innermost line of the user's. */
static void write_line(lua_State *L, struct il_board_record *r)
{
	lua_Debug ar;
	for (int level = 1; level < LEVELS && lua_getstack(L, level, &ar); level++)
		if (lua_getinfo(L, "Sl", &ar) && ar.currentline > 0 && !il_is_script(&ar)) {
			r->line = (uint32_t)ar.currentline;
			COPY(r->file, ar.short_src);
			return;
		}
	r->line = 0;
	r->file[0] = '\0';
}

/* What is to be added to a chain. */
struct chain {
	struct il_board_record *first;
	uint32_t last;
};

static void add(struct chain *c, enum il_board_kind kind, const void *type, const char *name,
	const struct il_described *d)
{
	struct il_board_record *r = il_board_add(&c->last);
	if (!r) {
		c->first->more = true;
		return;
	}
	il_board_begin(r);
	r->kind = (uint8_t)kind;
	r->next = 0;
	write_call(r, &il_board.shadows[c->last], type, name, d);
	il_board_end(r);
}

static void add_cases(struct chain *c, const struct il_wait *w, const void *selection)
{
	static const char select[] = "select";
	struct il_described d = { .key = "" };
	write_call(c->first, &il_board.shadows[c->last], select, select, &d);
	for (uint32_t i = 0; i < w->count && i < IL_BOARD_CASES; i++) {
		const struct il_cases *cases;
		const void *object = il_select_case(selection, i, &cases);
		describe(object, cases, &d);
		add(c, IL_BOARD_CASE, w->ops[i].type, w->ops[i].type->name, &d);
	}
	c->first->more |= w->count > IL_BOARD_CASES;
}

static bool no_holds(void (*f)(const struct il_hold *h, void *arg), void *arg)
{
	(void)f;
	(void)arg;
	return true;
}

static bool (*each_of_main)(void (*f)(const struct il_hold *h, void *arg), void *arg) = no_holds;

void il_park_main_holds(bool (*each)(void (*f)(const struct il_hold *h, void *arg), void *arg))
{
	each_of_main = each;
}

static void add_hold(const struct il_hold *h, void *chain)
{
	struct il_described d;
	const char *noun = h->type->describe ? h->type->describe(h, &d) : NULL;
	if (noun)
		add(chain, IL_BOARD_HOLD, noun, noun, &d);
}

static void add_holds(struct chain *c, const struct il_task *t)
{
	if (!t) {
		c->first->more |= !each_of_main(add_hold, c);
		return;
	}
	il_list_each(const struct il_hold, h, &t->holds, node)
		add_hold(h, c);
}

static void write_wait(lua_State *L, struct chain *c, const struct il_wait *w, const void *selection)
{
	static const char sleep[] = "sleep";
	struct il_described d = { .key = "" };
	struct il_board_shadow *s = &il_board.shadows[c->last];
	if (selection) {
		add_cases(c, w, selection);
	} else if (!w->count) {
		write_call(c->first, s, sleep, sleep, &d);
	} else {
		describe_self(L, &d);
		write_call(c->first, s, w->ops->type, w->ops->type->name, &d);
	}
}

void il_park(lua_State *L, const struct il_wait *w, int64_t deadline, const void *selection)
{
	struct il_task *t = il_sched()->current;
	uint32_t *record = t ? &t->board : &il_sched()->main_board;
	if ((!*record || !il_board.head) && !il_board_prepare(record))
		return;
	struct chain c = { il_board_at(*record), *record };
	struct il_board_record *r = c.first;
	bool known = il_board.shadows[*record].type;
	il_board_begin(r);
	if (!known) {
		r->task = t ? t->id : 0;
		COPY(r->name, t && t->named ? t->name : "");
	}
	r->kind = IL_BOARD_WAITS;
	r->more = false;
	r->next = 0;
	r->since = il_coarse();
	r->deadline = deadline == IL_NEVER ? 0 : deadline;
	write_line(L, r);
	write_wait(L, &c, w, selection);
	add_holds(&c, t);
	il_board_end(r);
}

void il_park_again(struct il_task *t)
{
	uint32_t record = t ? il_task_here(t)->board : il_sched()->main_board;
	struct il_board_record *r = record && il_board.head ? il_board_at(record) : NULL;
	if (!r || r->kind != IL_BOARD_WAITS)
		return;
	struct chain c = { r, record };
	il_board_begin(r);
	while (il_board.shadows[c.last].next && il_board_at(il_board.shadows[c.last].next)->kind == IL_BOARD_CASE)
		c.last = il_board.shadows[c.last].next;
	il_board_cut(c.last);
	add_holds(&c, t);
	il_board_end(r);
}
