/* SPDX-License-Identifier: MIT
 *
 * The records of a queue on disk beside a model of it: random operations on both, which have to agree on every answer,
 * on the counts, and on the order. Some transactions are aborted, as the death of a process does it: they leave
 * nothing.
 */
#include "check.h"

#ifdef IL_LMDB
#	include "base/clock.h"
#	include "engines/disk/queue_dead.h"
#	include "engines/disk/queue_records.h"

#	include <errno.h>
#	include <string.h>
#	include <unistd.h>

enum { MOST = 4000, STEPS = 1500, SEEDS = 8, CAPACITY = 40000, LARGE = 5000, HOLDERS = 3, IDS = 8, KEEP = 6 };

struct letter {
	enum il_disk_state state;
	int64_t type, sent, due;
	uint64_t sequence, token, number;
	uint32_t attempt, deaths, attempts;
	size_t size;
	int holder;
	char id[8], reason[40];
	bool gone;
};

static struct model {
	struct letter at[MOST];
	int count;
	uint64_t sequence, token, number;
} model, before;

static const struct il_job_limits limits = { .attempts = 3, .deaths = 2, .keep = KEEP };
static struct il_disk_records r;
static struct il_disk_txn txn_of;
static union {
	struct il_disk_table table;
	char bytes[sizeof(struct il_disk_table) + 1];
} at;
static int64_t now = 1000;
static char bytes[LARGE];

static struct il_disk_txn *use(MDB_txn *txn)
{
	static struct il_disk disk = { .page = 4096 };
	txn_of = (struct il_disk_txn){ .disk = &disk, .txn = txn, .changes = true, .large = true }; /* not recorded */
	return &txn_of;
}

static int pick(int n)
{
	return rand() % n;
}

static struct il_disk_holder holder(int n)
{
	return (struct il_disk_holder){ .world = 7,
		.start = 100,
		.pid = (uint32_t)(10 + n / 2),
		.handle = (uint32_t)(n % 2) };
}

static uint64_t total(enum il_disk_state state, bool size)
{
	uint64_t sum = 0;
	for (int i = 0; i < model.count; i++)
		if (!model.at[i].gone && (!state || model.at[i].state == state))
			sum += size ? model.at[i].size : 1;
	return sum;
}

/* By the place, or by the time of the death. */
static struct letter *oldest(enum il_disk_state state, bool (*fits)(const struct letter *l, const void *arg),
	const void *arg)
{
	struct letter *best = NULL;
	for (int i = 0; i < model.count; i++) {
		struct letter *l = &model.at[i];
		if (l->gone || l->state != state || (fits && !fits(l, arg)))
			continue;
		if (!best || (state == IL_DISK_DEAD ? l->number < best->number : l->sequence < best->sequence))
			best = l;
	}
	return best;
}

static bool is_of_type(const struct letter *l, const void *arg)
{
	int64_t type = *(const int64_t *)arg;
	return !type || l->type == type;
}

static struct letter *first(int64_t type)
{
	struct letter *best = NULL;
	if (type >= 0)
		return oldest(IL_DISK_READY, is_of_type, &type);
	for (int64_t t = 1; t <= -type && !best; t++)
		best = oldest(IL_DISK_READY, is_of_type, &t);
	return best;
}

static void trim(void)
{
	while (total(IL_DISK_DEAD, false) > KEEP)
		oldest(IL_DISK_DEAD, NULL, NULL)->gone = true;
}

static void note_death(struct letter *l)
{
	strcpy(l->reason, "its holder died");
	if (l->deaths > 1)
		sprintf(l->reason, "its holder died (%u times)", l->deaths);
}

static void dies(struct letter *l)
{
	l->state = IL_DISK_DEAD;
	l->number = ++model.number;
	if (l->deaths >= limits.deaths)
		note_death(l);
	trim();
}

static void compare(const struct letter *l, const struct il_disk_message *m)
{
	struct il_job job;
	char id[24];
	il_disk_records_describe(m, &job);
	snprintf(id, sizeof id, "#%llu", (unsigned long long)l->sequence);
	CHECK(m->record.sequence == l->sequence && m->record.type == l->type && m->record.size == l->size);
	CHECK(job.attempt == l->attempt && job.deaths == l->deaths && job.sent == l->sent);
	CHECK(!strcmp(job.id, l->id[0] ? l->id : id) && !strcmp(job.reason, l->reason));
	for (size_t i = 0; i < l->size; i++)
		CHECK(((const char *)m->data)[i] == (char)(l->sequence + i));
}

static bool id_lives(const char *id)
{
	for (int i = 0; i < model.count; i++)
		if (!model.at[i].gone && model.at[i].state != IL_DISK_DEAD && !strcmp(model.at[i].id, id))
			return true;
	return false;
}

static bool room(size_t size)
{
	uint64_t used = total(0, true);
	if (used - total(IL_DISK_DEAD, true) + size > CAPACITY)
		return false;
	while (total(0, true) + size > CAPACITY)
		oldest(IL_DISK_DEAD, NULL, NULL)->gone = true;
	return true;
}

static void append(int64_t type, size_t size, const struct il_job *job)
{
	struct letter *l = &model.at[model.count++];
	*l = (struct letter){ .type = type, .size = size, .sent = now, .sequence = ++model.sequence };
	l->state = job && job->due > now ? IL_DISK_DELAYED : IL_DISK_READY;
	if (job) {
		l->due = job->due;
		l->attempts = job->attempts;
		memcpy(l->id, job->id, job->id_size);
	}
}

static void fill(size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(model.sequence + 1 + i);
}

static void send(void)
{
	struct il_job job = { .due = pick(3) ? 0 : now + pick(50), .attempts = pick(4) ? 0 : (uint32_t)(1 + pick(4)) };
	size_t size = (size_t)(pick(6) ? pick(200) : pick(LARGE));
	int64_t type = 1 + pick(5);
	bool plain = !pick(3);
	if (!pick(3))
		job.id_size = (uint8_t)sprintf(job.id, "id%d", pick(IDS));
	fill(size);
	struct il_job asked = job;
	int rc = il_disk_records_send(&r, type, bytes, size, plain ? NULL : &job, now);
	if (!plain && asked.id_size && id_lives(asked.id)) {
		CHECK(rc == EEXIST);
	} else if (room(size)) {
		CHECK(rc == 0);
		append(type, size, plain ? NULL : &asked);
		CHECK(plain || (asked.id_size ? !strcmp(job.id, asked.id) : job.id[0] == '#'));
	} else {
		CHECK(rc == EAGAIN);
	}
}

static int64_t any_type(void)
{
	return pick(2) ? 0 : pick(12) - 5;
}

static void receive(void)
{
	struct il_disk_message m;
	int64_t type = any_type();
	struct letter *l = first(type);
	int rc = il_disk_records_first(&r, type, &m);
	CHECK(rc == (l ? 0 : EAGAIN));
	if (!l)
		return;
	compare(l, &m);
	if (!pick(3))
		return;
	char *copy = malloc(m.record.size + 1), id[IL_JOB_ID_MAX + 1];
	memcpy(copy, m.data, m.record.size);
	memcpy(id, m.id, m.record.id_size);
	CHECK(il_disk_record_delete(&r, &m) == 0);
	if (!pick(4)) {
		m.id = id;
		m.reason = l->reason;
		m.data = copy;
		CHECK(il_disk_records_restore(&r, &m) == 0);
	} else {
		l->gone = true;
	}
	free(copy);
}

static void take(void)
{
	struct il_disk_message m;
	struct letter *l;
	int n = pick(HOLDERS);
	struct il_disk_holder h = holder(n);
	int64_t type = any_type();
	bool new_one;
	int rc = il_disk_records_take(&r, type, &h, &limits, &m, &new_one);
	while ((l = first(type)) &&
		(l->attempt >= (l->attempts ? l->attempts : limits.attempts) || l->deaths >= limits.deaths))
		dies(l);
	CHECK(rc == (l ? 0 : EAGAIN));
	if (!l)
		return;
	l->state = IL_DISK_TAKEN;
	l->attempt++;
	l->token = ++model.token;
	l->holder = n;
	compare(l, &m);
	CHECK(m.record.token == l->token);
}

static void finish_model(struct letter *l, const struct il_job *job)
{
	if (job->outcome == IL_JOB_RELEASE) {
		l->state = IL_DISK_READY;
		l->attempt--;
		return;
	}
	strcpy(l->reason, job->reason_size ? job->reason : "");
	bool spent = l->attempt >= (l->attempts ? l->attempts : limits.attempts);
	CHECK(job->dead == (spent || job->outcome == IL_JOB_BURY));
	if (job->dead) {
		l->state = IL_DISK_DEAD;
		l->number = ++model.number;
		trim();
		return;
	}
	l->due = job->due;
	l->state = job->due > now ? IL_DISK_DELAYED : IL_DISK_READY;
}

static void finish(void)
{
	struct letter *l = oldest(IL_DISK_TAKEN, NULL, NULL);
	struct il_disk_holder h = holder(l ? l->holder : 0);
	if (!l)
		return;
	struct il_job job = { .place = l->sequence,
		.token = (int64_t)l->token,
		.outcome = (enum il_job_outcome)pick(4) };
	if (!pick(8)) { /* another delivery, or another process */
		job.token -= pick(2);
		h.pid += job.token == (int64_t)l->token;
		CHECK(il_disk_records_finish(&r, &job, &h, &limits, 0, NULL, 0, now) == ESTALE);
		return;
	}
	job.due = pick(2) ? 0 : now + pick(30);
	if (pick(2))
		job.reason_size = (uint8_t)sprintf(job.reason, "reason %d", pick(99));
	bool next = job.outcome == IL_JOB_DONE && pick(2);
	size_t size = (size_t)pick(LARGE), had = l->size;
	fill(size);
	int rc = il_disk_records_finish(&r, &job, &h, &limits, next ? 9 : 0, bytes, size, now);
	l->size = 0;
	bool fits = !next || room(size);
	l->size = had;
	CHECK(rc == (fits ? 0 : ENOBUFS));
	if (!fits)
		return;
	if (job.outcome == IL_JOB_DONE)
		l->gone = true;
	else
		finish_model(l, &job);
	if (next)
		append(9, size, NULL);
}

static bool is_due(const struct letter *l, const void *arg)
{
	(void)arg;
	return l->due <= now;
}

static void expire(void)
{
	bool more;
	int64_t due, first_due = IL_NEVER;
	now += pick(20);
	do
		CHECK(il_disk_records_expire(&r, now, 2, &more) == 0);
	while (more);
	for (struct letter *l; (l = oldest(IL_DISK_DELAYED, is_due, NULL));)
		l->state = IL_DISK_READY;
	for (int i = 0; i < model.count; i++)
		if (!model.at[i].gone && model.at[i].state == IL_DISK_DELAYED && model.at[i].due < first_due)
			first_due = model.at[i].due;
	CHECK(il_disk_records_due(&r, &due) == 0 && due == first_due);
}

static bool is_held_by(const struct letter *l, const void *arg)
{
	return l->holder == *(const int *)arg;
}

static void release(void)
{
	int n = pick(HOLDERS);
	struct il_disk_holder h = holder(n);
	CHECK(il_disk_records_release(&r, &h) == 0);
	for (struct letter *l; (l = oldest(IL_DISK_TAKEN, is_held_by, &n)); l->attempt--)
		l->state = IL_DISK_READY;
}

static void death(void)
{
	struct il_disk_holder h = { .world = 0 };
	int n = pick(HOLDERS) & ~1, other = n + 1;
	bool seen[2] = { false };
	while (il_disk_records_taker(&r, &h) == 0)
		seen[h.pid - 10] = true;
	for (int i = 0; i < HOLDERS; i++)
		CHECK(seen[i / 2] || !oldest(IL_DISK_TAKEN, is_held_by, &i));
	h = holder(n);
	CHECK(il_disk_records_bereave(&r, &h, &limits) == 0);
	for (struct letter *l;
		(l = oldest(IL_DISK_TAKEN, is_held_by, &n)) || (l = oldest(IL_DISK_TAKEN, is_held_by, &other));) {
		if (++l->deaths >= limits.deaths) {
			dies(l);
		} else {
			note_death(l);
			l->state = IL_DISK_READY;
		}
	}
}

static bool has_id(const struct letter *l, const void *id)
{
	return !id || !strcmp(l->id, id);
}

static void wake_dead(void)
{
	char id[8];
	bool all = !pick(3), drop = pick(2);
	int64_t n, expected = 0;
	size_t size = (size_t)sprintf(id, "id%d", pick(IDS));
	const char *which = all ? NULL : id;
	CHECK((drop ? il_disk_dead_drop : il_disk_dead_revive)(&r, which, all ? 0 : size, &n) == 0);
	uint64_t last = 0;
	for (int i = 0; i < model.count; i++, expected++) {
		struct letter *best = NULL;
		for (int k = 0; k < model.count; k++) {
			struct letter *l = &model.at[k];
			if (!l->gone && l->state == IL_DISK_DEAD && l->number > last && has_id(l, which) &&
				(!best || l->number < best->number))
				best = l;
		}
		if (!best)
			break;
		last = best->number;
		if (!drop && best->id[0] && id_lives(best->id)) {
			expected--;
			continue;
		}
		best->gone = drop;
		if (!drop)
			best->state = IL_DISK_READY;
		best->attempt = best->deaths = 0;
		best->reason[0] = '\0';
	}
	CHECK(n == expected);
}

static void compare_dead(void)
{
	struct il_disk_message m = { .record.number = 0 };
	uint64_t seen = 0;
	while (il_disk_dead_next(&r, m.record.number, &m) == 0) {
		bool found = false;
		for (int i = 0; i < model.count; i++)
			if (!model.at[i].gone && model.at[i].state == IL_DISK_DEAD &&
				model.at[i].number == m.record.number) {
				compare(&model.at[i], &m);
				found = true;
			}
		CHECK(found);
		seen++;
	}
	CHECK(seen == total(IL_DISK_DEAD, false));
}

static void compare_all(MDB_txn *txn)
{
	struct il_queue_stat stat;
	CHECK(il_disk_records_begin(&r, use(txn), &at.table) == 0);
	CHECK(il_disk_records_stat(&r, &stat) == 0);
	CHECK(stat.messages == (int64_t)total(IL_DISK_READY, false) && stat.bytes == (int64_t)total(0, true));
	CHECK(stat.delayed == (int64_t)total(IL_DISK_DELAYED, false) &&
		stat.taken == (int64_t)total(IL_DISK_TAKEN, false));
	CHECK(stat.dead == (int64_t)total(IL_DISK_DEAD, false) && r.head.dead_bytes == total(IL_DISK_DEAD, true));
	compare_dead();
	mdb_txn_abort(txn);
}

/* Nothing is left of messages that are gone. */
static void check_empty(MDB_txn *txn)
{
	struct il_disk_message m;
	MDB_stat stat;
	int64_t n;
	bool more;
	CHECK(il_disk_records_begin(&r, use(txn), &at.table) == 0);
	CHECK(il_disk_records_expire(&r, INT64_MAX - 1, 10000, &more) == 0);
	CHECK(il_disk_dead_drop(&r, NULL, 0, &n) == 0);
	for (int i = 0; i < HOLDERS; i++) {
		struct il_disk_holder h = holder(i);
		CHECK(il_disk_records_release(&r, &h) == 0);
		CHECK(il_disk_taker_delete(&r, &h) == 0);
	}
	while (il_disk_records_first(&r, 0, &m) == 0)
		CHECK(il_disk_record_delete(&r, &m) == 0);
	CHECK(r.head.bytes == 0 && r.head.ready == 0 && r.head.delayed == 0 && r.head.taken == 0 && r.head.dead == 0);
	CHECK(mdb_stat(txn, at.table.dbi, &stat) == 0 && stat.ms_entries == 1);
	mdb_txn_abort(txn);
}

static MDB_txn *begin(MDB_env *env, unsigned flags)
{
	MDB_txn *txn;
	CHECK(mdb_txn_begin(env, NULL, flags, &txn) == 0);
	return txn;
}

static void step(MDB_env *env)
{
	static void (*const steps[])(void) = { send, send, send, receive, take, take, take, finish, finish, expire,
		release, death, wake_dead };
	MDB_txn *txn = begin(env, 0);
	before = model;
	CHECK(il_disk_records_begin(&r, use(txn), &at.table) == 0);
	for (int n = 1 + pick(3); n; n--)
		steps[pick(sizeof steps / sizeof *steps)]();
	CHECK(il_disk_records_end(&r) == 0);
	if (pick(6)) {
		CHECK(mdb_txn_commit(txn) == 0);
	} else {
		mdb_txn_abort(txn);
		model = before;
	}
}

static void run(MDB_env *env, unsigned seed)
{
	MDB_txn *txn = begin(env, 0);
	char name[16];
	sprintf(name, "%u", seed);
	srand(seed);
	memset(&model, 0, sizeof model);
	CHECK(mdb_dbi_open(txn, name, MDB_CREATE, &at.table.dbi) == 0);
	CHECK(il_disk_records_begin(&r, use(txn), &at.table) == EUCLEAN);
	CHECK(il_disk_records_make(use(txn), &at.table, CAPACITY) == 0);
	CHECK(il_disk_records_make(use(txn), &at.table, CAPACITY) == EEXIST);
	CHECK(mdb_txn_commit(txn) == 0);
	for (int i = 0; i < STEPS && model.count < MOST - 8; i++) {
		step(env);
		if (i % 16 == 0)
			compare_all(begin(env, MDB_RDONLY));
	}
	check_empty(begin(env, 0));
}

int main(void)
{
	char path[] = "/tmp/ipclua.test.XXXXXX", file[64];
	MDB_env *env;
	CHECK(mkdtemp(path));
	CHECK(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, SEEDS + 1) == 0);
	CHECK(mdb_env_set_mapsize(env, 64 << 20) == 0 && mdb_env_open(env, path, MDB_NOSYNC, 0600) == 0);
	for (unsigned seed = 1; seed <= SEEDS; seed++)
		run(env, seed);
	mdb_env_close(env);
	for (int i = 0; i < 2; i++) {
		snprintf(file, sizeof file, "%s/%s", path, i ? "data.mdb" : "lock.mdb");
		unlink(file);
	}
	rmdir(path);
	puts("ok");
	return 0;
}
#else
int main(void)
{
	puts("ok");
	return 0;
}
#endif
