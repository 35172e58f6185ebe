/* SPDX-License-Identifier: MIT
 *
 * Signals as data, see signal.h. The ring has one producer, the handler on the loop's thread, and one consumer, the
 * same thread outside of it; a handler that runs on another thread sends the signal on to that thread, with its
 * information, and returns.
 * Floor 1b.
 */
#include "os/signal.h"
#include "base/fork.h"
#include "loop/state.h"
#include "loop/wake.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { RING = 16384, SIGNALS = 65 };

volatile sig_atomic_t il_signal_arrived;
int64_t il_signals_lost;
void (*il_signal_notify)(void);

struct disposition {
	struct il_list watchers; /* of struct il_sigwatch; next == NULL: never used */
	struct sigaction before; /* what was there before us */
	void (*otherwise)(int); /* without watchers: SIG_IGN, SIG_DFL, SIG_ERR for `before` */
	bool changed; /* the disposition is ours now */
};

static struct disposition dispositions[SIGNALS];
static struct il_siginfo ring[RING];
static volatile uint32_t ring_in, ring_out;
static volatile sig_atomic_t ring_full;
static sigset_t held_back; /* blocked until there is room */
static pid_t loop_thread;

/* clang-format off */
#define NAMES(X) \
	X(HUP) X(INT) X(QUIT) X(ILL) X(TRAP) X(ABRT) X(BUS) X(FPE) X(KILL) X(USR1) X(SEGV) X(USR2) X(PIPE) X(ALRM) X(TERM) \
	X(STKFLT) X(CHLD) X(CONT) X(STOP) X(TSTP) X(TTIN) X(TTOU) X(URG) X(XCPU) X(XFSZ) X(VTALRM) X(PROF) X(WINCH) X(IO) \
	X(PWR) X(SYS)
/* clang-format on */
#define X(name) [SIG##name] = #name,
static const char *const names[SIGNALS] = { NAMES(X) };
#undef X

int il_signal_number(const char *name)
{
	if (strncmp(name, "SIG", 3) == 0)
		name += 3;
	for (int i = 1; i < SIGNALS; i++)
		if (names[i] && strcmp(names[i], name) == 0)
			return i;
	int base = strncmp(name, "RTMIN", 5) == 0 ? SIGRTMIN : strncmp(name, "RTMAX", 5) == 0 ? SIGRTMAX : 0;
	if (!base)
		return strcmp(name, "CLD") == 0     ? SIGCHLD
			: strcmp(name, "POLL") == 0 ? SIGIO
			: strcmp(name, "IOT") == 0  ? SIGABRT
						    : 0;
	char *end = NULL;
	long offset = name[5] ? strtol(name + 5, &end, 10) : 0;
	if (name[5] && (*end || (name[5] != '+' && name[5] != '-') || end == name + 6))
		return 0;
	return base + offset >= SIGRTMIN && base + offset <= SIGRTMAX ? base + (int)offset : 0;
}

const char *il_signal_name(int number)
{
	static char text[16];
	if (number > 0 && number < SIGNALS && names[number])
		return names[number];
	if (number < SIGRTMIN || number > SIGRTMAX)
		return NULL;
	if (number == SIGRTMIN || number == SIGRTMAX)
		return number == SIGRTMIN ? "RTMIN" : "RTMAX";
	snprintf(text, sizeof text, "RTMIN+%d", number - SIGRTMIN);
	return text;
}

static void keep_back(int number, void *context)
{
	sigaddset(&((ucontext_t *)context)->uc_sigmask, number);
	sigaddset(&held_back, number);
	ring_full = 1;
}

static void handler(int number, siginfo_t *info, void *context)
{
	int saved = errno;
	pid_t thread = (pid_t)syscall(SYS_gettid);
	if (thread != loop_thread) {
		if (syscall(SYS_rt_tgsigqueueinfo, getpid(), loop_thread, number, info) == 0) {
			errno = saved;
			return;
		}
		loop_thread = thread; /* that thread is gone: another library has forked */
	}
	struct il_siginfo *at = &ring[ring_in % RING];
	int code = info->si_code;
	*at = (struct il_siginfo){ .number = number };
	at->has_sender = code == SI_USER || code == SI_QUEUE || code == SI_TKILL || number == SIGCHLD;
	at->has_value = code == SI_QUEUE || code == SI_MESGQ || code == SI_TIMER;
	if (at->has_sender) {
		at->pid = info->si_pid;
		at->uid = info->si_uid;
	}
	if (at->has_value)
		at->value = info->si_value.sival_int;
	atomic_signal_fence(memory_order_release);
	ring_in = ring_in + 1;
	if (ring_in - ring_out >= RING - SIGNALS)
		keep_back(number, context); /* room is left for one of each other signal */
	il_signal_arrived = 1;
	if (il_signal_notify)
		il_signal_notify();
	il_loop_wake(il_loop);
	errno = saved;
}

static int apply(int number)
{
	struct disposition *d = &dispositions[number];
	struct sigaction sa = { 0 };
	if (!il_list_empty(&d->watchers)) {
		sa.sa_sigaction = handler;
		sa.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
		sigfillset(&sa.sa_mask);
	} else if (d->otherwise != SIG_ERR) {
		sa.sa_handler = d->otherwise;
	} else {
		if (d->changed && sigaction(number, &d->before, NULL))
			return errno;
		d->changed = false;
		return 0;
	}
	loop_thread = (pid_t)syscall(SYS_gettid);
	if (sigaction(number, &sa, d->changed ? NULL : &d->before))
		return errno;
	d->changed = true;
	return 0;
}

static struct disposition *disposition(int number)
{
	struct disposition *d = &dispositions[number];
	if (!d->watchers.next) {
		il_list_init(&d->watchers);
		d->otherwise = SIG_ERR;
	}
	return d;
}

int il_signal_watch(struct il_sigwatch *w, int number)
{
	struct disposition *d = disposition(number);
	bool first = il_list_empty(&d->watchers);
	w->number = number;
	il_list_add(&d->watchers, &w->node);
	int err = first ? apply(number) : 0;
	if (err)
		il_list_del(&w->node);
	return err;
}

void il_signal_unwatch(struct il_sigwatch *w)
{
	if (il_list_empty(&w->node))
		return;
	il_signal_drain(); /* what came before the end still counts for the others */
	il_list_del(&w->node);
	if (il_list_empty(&dispositions[w->number].watchers))
		apply(w->number);
}

int il_signal_dispose(int number, void (*how)(int))
{
	struct disposition *d = disposition(number);
	void (*old)(int) = d->otherwise;
	d->otherwise = how;
	int err = il_list_empty(&d->watchers) ? apply(number) : 0;
	if (err)
		d->otherwise = old;
	return err;
}

static void let_in(void)
{
	sigset_t all, old, release;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	release = held_back;
	sigemptyset(&held_back);
	ring_full = 0;
	for (int i = 1; i < SIGNALS; i++)
		if (sigismember(&release, i) == 1)
			sigdelset(&old, i);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void il_signal_drain(void)
{
	while (il_signal_arrived || ring_in != ring_out) {
		il_signal_arrived = 0;
		while (ring_out != ring_in) {
			atomic_signal_fence(memory_order_acquire);
			struct il_siginfo info = ring[ring_out % RING];
			ring_out = ring_out + 1;
			struct il_list *watchers = &dispositions[info.number].watchers;
			if (!watchers->next)
				continue;
			il_list_each_safe(struct il_sigwatch, w, watchers, node)
				w->arrived(w, &info);
		}
		if (ring_full)
			let_in();
	}
}

int il_signal_send(pid_t pid, int number, bool has_value, int32_t value)
{
	union sigval v = { 0 };
	v.sival_int = value;
	int failed = has_value ? sigqueue(pid, number, v) : kill(pid, number);
	return failed ? errno : 0;
}

/* As nohup and a shell's & do: the ones that a terminal sends may be ignored for a program and all that it starts. */
static bool ignored_outside(int number)
{
	struct sigaction now;
	struct disposition *d = &dispositions[number];
	if (number != SIGHUP && number != SIGINT && number != SIGQUIT)
		return false;
	if (d->changed)
		return d->before.sa_handler == SIG_IGN;
	return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

void il_signal_ignored(sigset_t *set)
{
	sigemptyset(set);
	for (int i = 1; i < SIGNALS; i++)
		if (ignored_outside(i))
			sigaddset(set, i);
}

static void begin_anew(void)
{
	for (int i = 1; i < SIGNALS; i++) {
		struct sigaction fresh = { .sa_handler = ignored_outside(i) ? SIG_IGN : SIG_DFL };
		sigaction(i, &fresh, NULL);
		dispositions[i] = (struct disposition){ 0 };
	}
	ring_in = ring_out = 0;
	ring_full = 0;
	sigemptyset(&held_back);
	il_signal_arrived = 0;
}

static struct il_fork_hook fork_hook = { .order = IL_FORK_SIGNALS, .anew = begin_anew };

void il_signal_init(void)
{
	il_fork_add(&fork_hook);
}

void il_signal_fini(void)
{
	for (int i = 1; i < SIGNALS; i++)
		if (dispositions[i].changed) {
			il_list_init(&dispositions[i].watchers);
			dispositions[i].otherwise = SIG_ERR;
			apply(i);
		}
	il_signal_drain();
}
