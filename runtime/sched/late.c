/* SPDX-License-Identifier: MIT
 *
 * The error "late", see late.h. What is due stands in a list, which is empty nearly always; while it is not, the hook
 * of preempt.h is set whenever the task runs that the error is for. Floor 3.
 */
#include "sched/late.h"
#include "loop/wait.h"
#include "sched/cancel.h"
#include "sched/preempt.h"

/* So many steps are enough for `local job <close> = assert(queue:take())`: an error between the return of the call and
 * the `<close>` would leave the job to the collector. */
enum { STEPS = 16 };

/* The task that had the work has ended: the error has no place any more. */
static void task_ended(struct il_hold *hold, bool failed)
{
	struct il_late *l = il_container_of(hold, struct il_late, hold);
	(void)failed;
	il_list_del(&l->node);
	l->task = NULL;
	l->over = true;
}

static const struct il_hold_type hold_type = { .ended = task_ended };

void il_late_init(struct il_late *l)
{
	il_sched()->late_interrupt = il_late_interrupt;
	*l = (struct il_late){ .hold.type = &hold_type, .task = il_sched()->current, .steps = STEPS };
	il_list_init(&l->node);
	il_list_init(&l->hold.node);
	if (l->task)
		il_list_add(&l->task->holds, &l->hold.node);
}

void il_late_fini(struct il_late *l)
{
	il_list_del(&l->node);
	il_list_del(&l->hold.node);
	l->task = NULL;
	l->over = true;
}

static bool is_held_up(const struct il_task *t, bool waits)
{
	return t && ((waits && t->uncancellable) || (t->cancelled && t->notified) || il_cancel_shielded(t));
}

void il_late_post(struct il_late *l)
{
	if (l->over)
		return;
	l->held_up = false;
	struct il_wait *w = l->task ? &l->task->wait : &il_sched()->main_wait;
	if (il_list_empty(&l->node))
		il_list_add(&il_sched()->late, &l->node);
	il_sched()->hook_wanted |= IL_HOOK_LATE;
	il_preempt();
	if (w->state == IL_WAITING && !is_held_up(l->task, true))
		il_wait_end(w, IL_LATE);
}

/* One error for all that is due. */
static void take(void)
{
	il_list_each_safe(struct il_late, l, &il_sched()->late, node)
		if (l->task == il_sched()->current)
			il_list_del(&l->node);
}

int il_late_raise(lua_State *L)
{
	lua_pushliteral(L, "late");
	take();
	return lua_error(L);
}

static bool is_due(void)
{
	il_list_each(struct il_late, l, &il_sched()->late, node)
		if (l->task == il_sched()->current)
			return true;
	return false;
}

void il_late_raise_before_wait(lua_State *L)
{
	if (is_due() && !is_held_up(il_sched()->current, false))
		il_late_raise(L);
}

/* One more step for what runs? The hook is called at each of them meanwhile. */
static bool has_steps(void)
{
	il_list_each(struct il_late, l, &il_sched()->late, node)
		if (l->task == il_sched()->current && l->steps) {
			l->steps--;
			return true;
		}
	return false;
}

static void hold_up(void)
{
	il_list_each(struct il_late, l, &il_sched()->late, node)
		if (l->task == il_sched()->current)
			l->held_up = true;
}

void il_late_interrupt(lua_State *L)
{
	if (!il_late_is_due())
		return;
	if (is_held_up(il_sched()->current, false))
		hold_up();
	else if (has_steps())
		il_preempt();
	else
		il_late_raise(L);
}

void il_late_drop(void)
{
	il_list_drain(struct il_late, l, &il_sched()->late, node)
		l->over = true;
}
