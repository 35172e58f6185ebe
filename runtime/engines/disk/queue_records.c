/* SPDX-License-Identifier: MIT
 *
 * What becomes of the messages of a queue on disk, see queue_records.h. Floor 2.
 */
#include "engines/disk/queue_records.h"
#include "base/clock.h"
#include "engines/disk/queue_dead.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Sending --------------------------------------------------------------------------------------------------- */

/* For a message of `size` bytes, when `gone` bytes will have gone: how many may be there. */
static int check_room(const struct il_disk_records *r, uint64_t size, uint64_t gone, uint64_t *most)
{
	const struct il_disk_queue_head *head = &r->head;
	if (size > head->capacity)
		return EMSGSIZE;
	*most = head->capacity - size + gone;
	return head->bytes - head->dead_bytes > *most ? EAGAIN : 0;
}

static int make_room(struct il_disk_records *r, uint64_t size, uint64_t gone)
{
	uint64_t most;
	int rc = check_room(r, size, gone, &most);
	return rc ? rc : il_disk_dead_shrink(r, most);
}

static void describe(const struct il_job *job, struct il_disk_message *m)
{
	struct il_disk_record *record = &m->record;
	record->due = job->due;
	record->attempts = job->attempts;
	record->id_size = job->id_size;
	m->id = job->id;
}

static int add_message(struct il_disk_records *r, struct il_disk_message *m, int64_t now)
{
	struct il_disk_record *record = &m->record;
	record->sent = now;
	record->state = record->due > now ? IL_DISK_DELAYED : IL_DISK_READY;
	record->sequence = ++r->head.sequence;
	r->head.last_sender = (int32_t)getpid();
	return il_disk_record_add(r, m);
}

static int check_id(struct il_disk_records *r, const struct il_job *job)
{
	struct il_disk_key key;
	if (!job || !job->id_size)
		return 0;
	il_disk_key_id(&key, job->id, job->id_size);
	int rc = il_disk_record_has(r, &key);
	return rc == MDB_NOTFOUND ? 0 : rc ? rc : EEXIST;
}

int il_disk_records_may_send(struct il_disk_records *r, size_t size, const struct il_job *job)
{
	uint64_t most;
	int rc = check_id(r, job);
	return rc ? rc : check_room(r, size, 0, &most);
}

int il_disk_records_send(struct il_disk_records *r, int64_t type, const void *data, size_t size, struct il_job *job,
	int64_t now)
{
	struct il_disk_message m = { .record = { .type = type, .size = (uint32_t)size }, .data = data };
	int rc = check_id(r, job);
	if (job)
		describe(job, &m);
	if (!rc)
		rc = make_room(r, size, 0);
	if (!rc)
		rc = add_message(r, &m, now);
	if (!rc && job)
		job->id_size = (uint8_t)il_disk_record_id(&m, job->id);
	return rc;
}

/* Taking ---------------------------------------------------------------------------------------------------- */

static int first_of_type(struct il_disk_records *r, int64_t type, struct il_disk_message *m)
{
	struct il_disk_key key;
	il_disk_key_type(&key, type > 0 ? type : 1, 0);
	int rc = il_disk_key_find(r, &key);
	if (rc)
		return rc;
	int64_t found = il_disk_key_first(&key);
	if (type > 0 ? found != type : found > -type)
		return MDB_NOTFOUND;
	il_disk_key_ready(&key, il_disk_key_number(&key));
	rc = il_disk_record_find(r, &key, true, m);
	return rc == MDB_NOTFOUND ? EUCLEAN : rc;
}

int il_disk_records_first(struct il_disk_records *r, int64_t type, struct il_disk_message *m)
{
	struct il_disk_key key;
	il_disk_key_ready(&key, 0);
	int rc = type ? first_of_type(r, type, m) : il_disk_record_find(r, &key, false, m);
	return rc == MDB_NOTFOUND ? EAGAIN : rc;
}

int il_disk_records_receive(struct il_disk_records *r, const struct il_disk_message *m)
{
	r->head.last_receiver = (int32_t)getpid();
	return il_disk_record_delete(r, m);
}

static bool is_spent(const struct il_disk_record *record, const struct il_job_limits *limits)
{
	return record->attempt >= (record->attempts ? record->attempts : limits->attempts);
}

static void set_reason(struct il_disk_message *m, const char *reason, size_t size)
{
	m->reason = reason;
	m->record.reason_size = (uint8_t)size;
}

enum { DEATH_TEXT = 48 };

static void set_death(struct il_disk_message *m, char text[DEATH_TEXT])
{
	int size = m->record.deaths > 1 ? sprintf(text, "its holder died (%u times)", m->record.deaths)
					: sprintf(text, "its holder died");
	set_reason(m, text, (size_t)size);
}

static int end(struct il_disk_records *r, const struct il_disk_message *from, struct il_disk_message *to,
	const struct il_job_limits *limits)
{
	char text[DEATH_TEXT];
	if (to->record.deaths && to->record.deaths >= limits->deaths)
		set_death(to, text);
	return il_disk_dead_add(r, from, to, limits->keep);
}

/* EAGAIN: it has died instead. */
static int deliver(struct il_disk_records *r, const struct il_disk_holder *holder, const struct il_job_limits *limits,
	struct il_disk_message *m)
{
	struct il_disk_message to = *m;
	struct il_disk_key key;
	int rc;
	if (is_spent(&m->record, limits) || m->record.deaths >= limits->deaths) {
		rc = end(r, m, &to, limits);
		return rc ? rc : EAGAIN;
	}
	to.record.state = IL_DISK_TAKEN;
	to.record.holder = *holder;
	to.record.token = ++r->head.token;
	to.record.attempt++;
	r->head.last_receiver = (int32_t)getpid();
	rc = il_disk_record_move(r, m, &to);
	il_disk_key_taken(&key, holder, to.record.sequence);
	return rc ? rc : il_disk_record_find(r, &key, true, m);
}

int il_disk_records_take(struct il_disk_records *r, int64_t type, const struct il_disk_holder *holder,
	const struct il_job_limits *limits, struct il_disk_message *m, bool *first)
{
	struct il_disk_key key;
	int rc = il_disk_records_first(r, type, m);
	*first = false;
	if (rc)
		return rc;
	il_disk_key_taker(&key, holder);
	rc = il_disk_record_has(r, &key);
	*first = rc == MDB_NOTFOUND;
	if (*first) {
		rc = il_disk_taker_add(r, holder);
		if (!rc)
			rc = il_disk_records_first(r, type, m);
	}
	if (!rc)
		rc = deliver(r, holder, limits, m);
	while (rc == EAGAIN) {
		rc = il_disk_records_first(r, type, m);
		if (rc)
			return rc;
		rc = deliver(r, holder, limits, m);
	}
	return rc;
}

void il_disk_records_describe(const struct il_disk_message *m, struct il_job *job)
{
	const struct il_disk_record *record = &m->record;
	job->token = (int64_t)record->token;
	job->sent = record->sent;
	job->due = record->due;
	job->place = record->state == IL_DISK_DEAD ? record->number : record->sequence;
	job->attempt = record->attempt;
	job->deaths = record->deaths;
	job->attempts = record->attempts;
	job->dead = record->state == IL_DISK_DEAD;
	job->id_size = (uint8_t)il_disk_record_id(m, job->id);
	job->reason_size = record->reason_size;
	memcpy(job->reason, m->reason, record->reason_size);
	job->reason[record->reason_size] = '\0';
}

/* Finishing --------------------------------------------------------------------------------------------------- */

/* To make room may move what was found before. */
static int done(struct il_disk_records *r, const struct il_disk_key *key, struct il_disk_message *m, int64_t type,
	const void *data, size_t size, int64_t now)
{
	struct il_disk_message next = { .record = { .type = type, .size = (uint32_t)size }, .data = data };
	int rc = type ? make_room(r, size, m->record.size) : 0;
	if (rc)
		return rc == EAGAIN ? ENOBUFS : rc;
	rc = il_disk_record_find(r, key, true, m);
	if (!rc)
		rc = il_disk_record_delete(r, m);
	return rc || !type ? rc : add_message(r, &next, now);
}

static void give_back(struct il_disk_record *record, int64_t due, int64_t now)
{
	record->due = due;
	record->state = due > now ? IL_DISK_DELAYED : IL_DISK_READY;
}

static int retry(struct il_disk_records *r, const struct il_disk_message *m, struct il_job *job,
	const struct il_job_limits *limits, int64_t now)
{
	struct il_disk_message to = *m;
	set_reason(&to, job->reason, job->reason_size);
	job->dead = job->outcome == IL_JOB_BURY || is_spent(&m->record, limits);
	if (job->dead)
		return il_disk_dead_add(r, m, &to, limits->keep);
	give_back(&to.record, job->due, now);
	return il_disk_record_move(r, m, &to);
}

static int release(struct il_disk_records *r, const struct il_disk_message *m)
{
	struct il_disk_message to = *m;
	to.record.state = IL_DISK_READY;
	to.record.attempt -= to.record.attempt > 0;
	return il_disk_record_move(r, m, &to);
}

int il_disk_records_finish(struct il_disk_records *r, struct il_job *job, const struct il_disk_holder *holder,
	const struct il_job_limits *limits, int64_t type, const void *data, size_t size, int64_t now)
{
	struct il_disk_message m;
	struct il_disk_key key;
	il_disk_key_taken(&key, holder, job->place);
	int rc = il_disk_record_find(r, &key, true, &m);
	if (rc)
		return rc == MDB_NOTFOUND ? ESTALE : rc;
	if (m.record.token != (uint64_t)job->token)
		return ESTALE;
	switch (job->outcome) {
	case IL_JOB_DONE: return done(r, &key, &m, type, data, size, now);
	case IL_JOB_RELEASE: return release(r, &m);
	default: return retry(r, &m, job, limits, now);
	}
}

int il_disk_records_restore(struct il_disk_records *r, const struct il_disk_message *m)
{
	struct il_disk_message back = *m;
	struct il_disk_key key;
	if (m->record.id_size) { /* another one may have the id meanwhile */
		il_disk_key_id(&key, m->id, m->record.id_size);
		int rc = il_disk_record_has(r, &key);
		if (!rc)
			back.record.id_size = 0;
		else if (rc != MDB_NOTFOUND)
			return rc;
	}
	back.record.state = IL_DISK_READY;
	return il_disk_record_add(r, &back);
}

/* Time and death ---------------------------------------------------------------------------------------------- */

int il_disk_records_due(struct il_disk_records *r, int64_t *due)
{
	struct il_disk_key key;
	il_disk_key_delayed(&key, 0, 0);
	int rc = r->head.delayed ? il_disk_key_find(r, &key) : MDB_NOTFOUND;
	*due = rc ? IL_NEVER : il_disk_key_first(&key);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int il_disk_records_expire(struct il_disk_records *r, int64_t now, int most, bool *more)
{
	struct il_disk_key key;
	for (int n = 0;; n++) {
		struct il_disk_message m, to;
		int64_t due;
		int rc = il_disk_records_due(r, &due);
		*more = !rc && due <= now;
		if (!*more || n == most)
			return rc;
		il_disk_key_delayed(&key, due, 0);
		rc = il_disk_record_find(r, &key, false, &m);
		to = m;
		to.record.state = IL_DISK_READY;
		if (!rc)
			rc = il_disk_record_move(r, &m, &to);
		if (rc)
			return rc;
	}
}

int il_disk_records_taker(struct il_disk_records *r, struct il_disk_holder *process)
{
	struct il_disk_key key;
	struct il_disk_holder behind = *process;
	behind.pid++;
	il_disk_key_taker(&key, &behind);
	int rc = r->head.takers ? il_disk_key_find(r, &key) : MDB_NOTFOUND;
	if (!rc)
		*process = il_disk_key_holder(&key);
	return rc == MDB_NOTFOUND ? ENOENT : rc;
}

/* The first job of a process, or of one of its handles. */
static int first_taken(struct il_disk_records *r, const struct il_disk_holder *holder, bool of_handle,
	struct il_disk_message *m)
{
	struct il_disk_key key;
	il_disk_key_taken(&key, holder, 0);
	int rc = il_disk_record_find(r, &key, false, m);
	const struct il_disk_holder *h = &m->record.holder;
	if (!rc &&
		(h->world != holder->world || h->start != holder->start || h->pid != holder->pid ||
			(of_handle && h->handle != holder->handle)))
		return MDB_NOTFOUND;
	return rc;
}

int il_disk_records_release(struct il_disk_records *r, const struct il_disk_holder *holder)
{
	struct il_disk_message m;
	int rc = 0;
	while (!rc) {
		rc = first_taken(r, holder, true, &m);
		if (!rc)
			rc = release(r, &m);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int orphan(struct il_disk_records *r, const struct il_disk_message *m, const struct il_job_limits *limits)
{
	struct il_disk_message to = *m;
	char text[DEATH_TEXT];
	to.record.deaths++;
	if (to.record.deaths >= limits->deaths)
		return end(r, m, &to, limits);
	set_death(&to, text);
	to.record.state = IL_DISK_READY;
	return il_disk_record_move(r, m, &to);
}

int il_disk_records_bereave(struct il_disk_records *r, const struct il_disk_holder *process,
	const struct il_job_limits *limits)
{
	struct il_disk_holder first = *process;
	struct il_disk_message m;
	int rc = 0;
	first.handle = 0;
	while (!rc) {
		rc = first_taken(r, &first, false, &m);
		if (!rc)
			rc = orphan(r, &m, limits);
	}
	return rc == MDB_NOTFOUND ? il_disk_taker_delete(r, process) : rc;
}

int il_disk_records_stat(struct il_disk_records *r, struct il_queue_stat *stat)
{
	const struct il_disk_queue_head *head = &r->head;
	struct il_disk_message m;
	*stat = (struct il_queue_stat){
		.messages = (int64_t)head->ready,
		.bytes = (int64_t)head->bytes,
		.capacity = (int64_t)head->capacity,
		.delayed = (int64_t)head->delayed,
		.taken = (int64_t)head->taken,
		.dead = (int64_t)head->dead,
		.last_sender = head->last_sender,
		.last_receiver = head->last_receiver,
	};
	int rc = il_disk_records_first(r, 0, &m);
	if (!rc)
		stat->oldest = m.record.sent;
	return rc == EAGAIN ? 0 : rc;
}
