/* SPDX-License-Identifier: MIT
 *
 * The contract between the classes and the engines. A key says which engine an object lives on; the objects of a noun
 * have the same operations on every engine. An engine's object begins with the struct of its noun; functions return 0
 * or errno and never wait, what waits is a struct il_op (see loop/op.h). EIDRM is an object that was removed,
 * ECANCELED a handle that was closed, ENOTSUP what an engine cannot do.
 * Floor 2: no lua.h.
 */
#ifndef IL_ENGINES_ENGINE_H
#define IL_ENGINES_ENGINE_H

#include "engines/listing.h"
#include "loop/op.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct il_key {
	const struct il_engine *engine;
	int32_t id; /* System V key */
	const char *name; /* in shared memory, NULL: memory without a name; the whole URL of a Redis key */
	const char *text; /* "file:/path?project=0", for messages */
	const char *object; /* the name alone, which ends with the text or a "?"; NULL: none */
};

/* What the struct of a noun begins with: what an engine has learned about the object. */
struct il_shared {
	const char *why; /* the last failure, as a server put it; or NULL: errno says it all */
	const char *warning; /* once it is open: what the program is to be warned of, or NULL */
	bool removed; /* it is known to be, without asking */
};

/* For `mode` of the options, in place of permissions: what is not there is not made; ENOENT. */
enum { IL_MODE_EXISTING = 1 << 16 };

/* When a change is on the disk, where objects are on one (il_engine.syncs). */
enum il_sync {
	IL_SYNC_USUAL, /* as IL_SYNC_EACH */
	IL_SYNC_EACH, /* before the operation is done; those of one process share a write */
	IL_SYNC_SOON, /* within a second */
};

/* Locks: semaphore, mutex, file_lock ---------------------------------------------------------------- */

struct il_lock {
	struct il_shared shared;
	const struct il_lock_ops *ops;
	void *owner; /* whose handle it is */
	int max; /* where there is `open`: permits that are asked for, after EEXIST those it has */
	bool unreported; /* an acquire has ended as abandoned, and the class has not seen it yet: close hands that on */
};

struct il_lock_options {
	int max; /* permits: a semaphore */
	unsigned mode; /* permissions of a new object */
	int64_t lease; /* ns, on another machine; 0: the engine's */
	int found; /* out, with EEXIST: the max it has */
};

/* Operations, whose source is the struct il_lock. */
struct il_lock_ops {
	/* After the constructor, before anything else: finds or makes the object. No attempt: it is open already. */
	struct il_op_type open;
	/* lock.shared: not alone, a file_lock. Then lock.grant: which of the handle's it is, and lock.abandoned: the
	 * holder before died. FIFO in this process; what is granted to a wait that is over is given back or handed
	 * on */
	struct il_op_type acquire;
	/* lock.grant; lock.abandoned: as if its holder had died. Gives it back, which no other case of a select
	 * prevents once it is started. ESTALE: its lease had expired. After another error lock.grant is the one that is
	 * held as before, or 0. With `last` it is done, and the answer not waited for */
	struct il_op_type release;
	/* lock.grant: done when that is not this handle's any more. No attempt: a grant ends by a release alone,
	 * ENOTSUP */
	struct il_op_type lost;
	struct il_op_type value; /* then lock.permits. No attempt: ENOTSUP */
	struct il_op_type holder; /* then lock.pid, 0: no process. No attempt: ENOTSUP */
	struct il_op_type remove;
	/* Gives back what the handle has, ends its operations with ECANCELED, and frees it. Never blocks. */
	void (*close)(struct il_lock *l);
	/* Of a grant that is held, or of the last one: a number that only grows. Never blocks. NULL: ENOTSUP */
	int (*token)(struct il_lock *l, int64_t grant, int64_t *token);
};

/* Queues ---------------------------------------------------------------------------------------------- */

struct il_queue_stat {
	int64_t messages, bytes, capacity; /* messages: those that are ready */
	int64_t delayed, taken, dead; /* jobs, where the engine has them */
	int64_t oldest; /* when the oldest ready message was sent, ns of the wall clock; 0: not known, or there is none
			 */
	int senders, receivers; /* that wait, as far as the engine can know */
	pid_t last_sender, last_receiver;
};

enum { IL_JOB_ID_MAX = 255, IL_JOB_REASON_MAX = 255 };

/* What becomes of a job that is taken. */
enum il_job_outcome {
	IL_JOB_DONE, /* it is gone; if message.type is not 0, the payload is the next message, in the same step */
	IL_JOB_RETRY, /* ready again at `due`, or dead if it has no attempt left */
	IL_JOB_RELEASE, /* ready again in its own place; its attempt does not count */
	IL_JOB_BURY, /* dead */
};

/* A message as a job: how it is to be sent, or one that was taken, or a dead letter. It is the caller's. Times are ns
 * of the wall clock; the texts may hold any byte. */
struct il_job {
	int64_t token; /* of the delivery: every later one has a greater one */
	int64_t sent;
	int64_t due; /* of a send and of IL_JOB_RETRY: not before; 0: at once */
	uint64_t place; /* the engine's: of a delivery, where the job is; of dead letters, where the one is that was
			 * found last, 0: none yet */
	uint32_t attempt; /* 1: it was taken for the first time */
	uint32_t deaths; /* of processes that had taken it */
	uint32_t attempts; /* of a send: limit of its own; 0: that of the handle that takes it */
	enum il_job_outcome outcome;
	bool dead; /* out, of IL_JOB_RETRY: it had no attempt left */
	uint8_t id_size, reason_size;
	uint64_t number; /* out: without an id of its own (id_size is 0), its id is "#" and this number */
	char id[IL_JOB_ID_MAX + 1], reason[IL_JOB_REASON_MAX + 1];
};

/* What a handle demands of the jobs that it takes, or finds with a dead holder. The class sets it before the first use.
 */
struct il_job_limits {
	uint32_t attempts; /* a job that was taken so often is not taken again: it is dead */
	uint32_t deaths; /* so is one whose holders died so often */
	uint32_t keep; /* dead letters: the oldest ones above are dropped */
};

struct il_queue {
	struct il_shared shared;
	const struct il_queue_ops *ops;
	size_t max_message; /* of the engine; before `open` the capacity that is asked for, after EEXIST the one it has
			     */
	const char *max_reason; /* where that comes from */
	struct il_queue_stat stat; /* what the last operation stat has found */
	struct il_job_limits limits;
};

struct il_queue_options {
	size_t capacity; /* bytes, 0: the engine's */
	unsigned mode;
	enum il_sync sync;
	bool given; /* the engine's */
	size_t found; /* out, with EEXIST: the capacity it has; with EPERM: the largest allowed */
};

/* Operations, whose source is the struct il_queue. Bytes that an operation answers are its own, or good until the next
 * one begins. */
struct il_queue_ops {
	/* After the constructor, before anything else: finds or makes the object. No attempt: it is open already. */
	struct il_op_type open;
	/* message.type; data, size: the message, of max_message bytes at most; message.job: how, or NULL. Then
	 * that has its id. EEXIST: a message with that id is ready, delayed or taken. ECONNABORTED, or
	 * ETIMEDOUT with `begun`: it may or may not have been sent. With `last` it is sent if there is room, and no
	 * answer is waited for */
	struct il_op_type send;
	/* message.type: which are wanted, 0: any, -n: the lowest up to n. Then message.type; data, size: the message */
	struct il_op_type receive;
	/* The same, and the message stays. ENOMSG: there is none */
	struct il_op_type peek;
	struct il_op_type stat; /* then queue->stat */
	struct il_op_type remove;
	/* Several messages, see payloads.h. No attempt: ENOTSUP */
	/* data, size: the messages. They are sent in order, and message.sent, 0 at first, says how many of these bytes
	 * are. Any error leaves the rest unsent. So does a timeout, for which `cancel` and an attempt with `once` let
	 * it be done, without an error. It is no case of a select */
	struct il_op_type send_many;
	/* message.type; message.count: at most so many. Done with one at least: data: a struct il_payloads that is the
	 * operation's own; size: of the messages. If memory is short there are fewer of them */
	struct il_op_type receive_many;
	/* Jobs. No attempt: ENOTSUP */
	/* As receive, but the message stays, this process's, until `finish` or the end of the process: then it is ready
	 * again, in its own place. message.job: the delivery, out. A job that is over a limit dies on the way and is
	 * not answered. */
	struct il_op_type take;
	/* message.job: the delivery, and its outcome, due and reason. ESTALE: it is not this delivery's any more, and
	 * nothing has changed. ENOBUFS: no room for the next message; the job stays taken. No other case of a select
	 * prevents it once it is started; with `last` it is done, and the answer not waited for */
	struct il_op_type finish;
	/* message.job: done when the delivery is not this process's any more. No attempt: it ends by `finish` alone */
	struct il_op_type lost;
	/* message.job->place: the dead letter after that one; then message.job, message.type and data, size. ENOMSG:
	 * there is none */
	struct il_op_type dead;
	/* name: the id of a dead letter, or NULL: all of them. Then arg: how many. Revived ones have no attempts and no
	 * deaths, and keep their places; of several with one id only the first that died can be. Dropped ones are gone
	 */
	struct il_op_type revive, drop;
	/* Ends the operations of the handle with ECANCELED, releases the jobs that were taken with it, and frees it.
	 * Never blocks, but until a disk has what is being written: such operations have their results. */
	void (*close)(struct il_queue *q);
};

/* Shared memory --------------------------------------------------------------------------------------- */

struct il_memory {
	struct il_shared shared;
	const struct il_memory_ops *ops;
	const int64_t *slots; /* mapped; read with one atomic load, then look at `lost`. NULL: on another machine */
	size_t count; /* before `open` the number that is asked for, after EEXIST the one it has */
	const volatile bool *lost; /* it is damaged: what is read are zeros */
};

struct il_memory_options {
	size_t slots;
	unsigned mode;
	size_t found; /* out, with EEXIST: the slots it has */
};

/* Operations, whose source is the struct il_memory. */
struct il_memory_ops {
	/* After the constructor, before anything else: finds or makes the object. No attempt: it is open already. */
	struct il_op_type open;
	/* memory.slot, memory.value: done when the slot has another value, which is then in memory.value. ENOTSUP: no
	 * wait is possible here */
	struct il_op_type wait;
	/* Changes of slots that are mapped: one atomic instruction, then the waits for that slot are woken. Never
	 * block. */
	struct {
		void (*write)(struct il_memory *m, size_t slot, int64_t value);
		int64_t (*add)(struct il_memory *m, size_t slot, int64_t n); /* the new value; wraps around */
		/* False: it was not *expected, which is now what it was. */
		bool (*swap)(struct il_memory *m, size_t slot, int64_t *expected, int64_t value);
	} mapped;
	/* Of slots that are not: */
	/* memory.slot, in memory.operand how many from there on. One: then memory.value; else data, of int64_t */
	struct il_op_type read;
	struct il_op_type write; /* memory.slot, memory.value */
	struct il_op_type add; /* memory.slot, memory.operand; then memory.value, the sum */
	/* memory.slot, memory.value for memory.operand. ESTALE: it was not memory.value, which is now what it was */
	struct il_op_type swap;
	/* Frees the name and ends all waits with EIDRM; the memory stays, for those that have it and are on the same
	 * machine. */
	struct il_op_type remove;
	bool (*removed)(struct il_memory *m); /* as far as is known here. Never blocks */
	/* Ends the operations of the handle with ECANCELED, and frees it. Never blocks. */
	void (*close)(struct il_memory *m);
};

/* Shared data ----------------------------------------------------------------------------------------- */

struct il_data_stat {
	int64_t names, used, waiters;
};

struct il_data {
	struct il_shared shared;
	const struct il_data_ops *ops;
	size_t size; /* bytes that names and values may take */
	size_t max_value; /* bytes of one value */
	struct il_data_stat stat; /* what the last operation stat has found */
};

struct il_data_options {
	size_t size; /* 0: the engine's, or what it has */
	unsigned mode;
	enum il_sync sync;
	bool given; /* the engine's */
	size_t found; /* out, with EEXIST: the size it has */
};

/* A name with its value; in memory of the engine's. */
struct il_entry {
	const char *name;
	const void *value;
	size_t name_size, size;
	int64_t version; /* 1 and up; no name ever has one twice */
};

/* No name: an engine needs one. */
#define IL_FF16 "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
#define IL_FF128 IL_FF16 IL_FF16 IL_FF16 IL_FF16 IL_FF16 IL_FF16 IL_FF16 IL_FF16
#define IL_DATA_NAME_KEPT                                                                  \
	IL_FF128 IL_FF128 IL_FF128 IL_FF16 IL_FF16 IL_FF16 IL_FF16 IL_FF16 IL_FF16 IL_FF16 \
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"

enum {
	IL_ANY_VERSION = -1,
	IL_DATA_NAME_MAX = 511,
	IL_DATA_SNAPSHOT = 16 << 20 /* bytes that a server answers to `each` at most */
};

/* In front of each name that `each` answers, and its value; the next one follows at a multiple of 8. */
struct il_listed {
	int64_t version;
	size_t name_size, size;
};

static inline size_t il_listed_size(const struct il_listed *l)
{
	return (sizeof *l + l->name_size + l->size + 7) & ~(size_t)7;
}

/* ns until a name is as if it had been deleted, from when it is set, by the clock of where the data is. No version
 * comes again after that, either. */
enum { IL_TTL_NONE = 0, IL_TTL_KEEP = -1 /* as it was */ };

/* One name of a change: what it has to be, and what becomes of it. A name comes once. */
enum il_data_edit { IL_DATA_CHECK, IL_DATA_SET, IL_DATA_DELETE };

struct il_data_change {
	const char *name;
	const void *value; /* of IL_DATA_SET */
	size_t name_size, size;
	int64_t version; /* it has to have: 0: none, or IL_ANY_VERSION */
	int64_t ttl; /* of IL_DATA_SET */
	enum il_data_edit edit;
};

/* Several of them lie in one piece of memory, which may be copied: of each a head, its name and its value; the next one
 * at a multiple of 8. */
struct il_data_packed {
	int64_t version, ttl, edit;
	size_t name_size, size;
};

static inline size_t il_data_packed_size(size_t name_size, size_t size)
{
	return (sizeof(struct il_data_packed) + name_size + size + 7) & ~(size_t)7;
}

/* Goes through them: *at is the next one. False: there are no more. */
static inline bool il_data_change_next(const char **at, const char *end, struct il_data_change *c)
{
	const struct il_data_packed *p = (const struct il_data_packed *)(const void *)*at;
	if (*at == end)
		return false;
	const char *name = (const char *)(p + 1);
	*c = (struct il_data_change){ .name = name,
		.value = name + p->name_size,
		.name_size = p->name_size,
		.size = p->size,
		.version = p->version,
		.ttl = p->ttl,
		.edit = (enum il_data_edit)p->edit };
	*at += il_data_packed_size(p->name_size, p->size);
	return true;
}

/* Operations, whose source is the struct il_data. Bytes that an operation answers are its own, or good until the next
 * one begins. */
struct il_data_ops {
	/* After the constructor, before anything else: finds or makes the object. EEXIST: it has another size, which is
	 * in data->size. No attempt: it is open already. */
	struct il_op_type open;
	/* name, entry.version: until it has another version, 0: until it is there. Then entry.version is that, 0
	 * without a value; data, size: the value */
	struct il_op_type wait;
	/* name; then entry.version, and data, size: the value. ENOENT: it is not there */
	struct il_op_type get;
	/* name: that before, or NULL. Then data, size: the next name in the order of bytes, of name_size bytes, and at
	 * once the value; entry.version. ENOENT: there is none */
	struct il_op_type next;
	/* name: what the names begin with. Then data, size: of each that there is at one moment a struct il_listed, the
	 * name and the value, in the order of bytes; owned. EFBIG: that is more than is answered at once */
	struct il_op_type each;
	/* name; data, size: the value; entry.ttl; entry.version: the one it has to have, 0: none, or IL_ANY_VERSION.
	 * Then entry.version is the new one. ESTALE: it has another version. ENOSPC: full. EMSGSIZE: over max_value */
	struct il_op_type set;
	/* name, entry.version. ESTALE; ENOENT: nothing to delete */
	struct il_op_type delete;
	/* data, size: changes as struct il_data_packed, with values of max_value bytes at most. All of it or nothing,
	 * in one step; then entry.version is the one that all names that it set have. ESTALE: one has another version;
	 * ENOSPC. To delete what is not there is no error */
	struct il_op_type change;
	struct il_op_type clear; /* deletes all names; then entry.number: how many */
	/* name, entry.number: adds to an integer as JSON writes it, or makes one; then entry.number is the sum. EAGAIN:
	 * it is something else, or the sum has more than 64 bits: that is to be done by get and set. No attempt: by
	 * these in any case */
	struct il_op_type add;
	struct il_op_type stat; /* then data->stat */
	struct il_op_type remove;
	/* Ends the operations of the handle with ECANCELED, and frees it. Never blocks, but as that of a queue. */
	void (*close)(struct il_data *d);
};

/* Engines ----------------------------------------------------------------------------------------------- */

enum { IL_PLACE_TEXT = 300 };

/* The constructors are called by those of the classes, and may block for the milliseconds that the system needs. They
 * find or make the object, or only prepare what its operation `open` finds or makes then. 0, and *l and so on is the
 * class's, until close; or errno, and nothing is left: EEXIST, o->found; or what il_because has noted. NULL: this
 * engine does not offer the noun. */
struct il_engine {
	const char *name;
	bool syncs; /* it knows the option `sync`; the classes refuse it for the others */
	bool jobs; /* its queues have jobs; the classes refuse the options of these for the others */
	int (*semaphore)(const struct il_key *key, struct il_lock_options *o, struct il_lock **l);
	int (*mutex)(const struct il_key *key, struct il_lock_options *o, struct il_lock **l);
	int (*queue)(const struct il_key *key, struct il_queue_options *o, struct il_queue **q);
	int (*memory)(const struct il_key *key, struct il_memory_options *o, struct il_memory **m);
	int (*data)(const struct il_key *key, struct il_data_options *o, struct il_data **d);
	/* What a constructor's errno means here, where that is not the same on every engine, or NULL. Never blocks. */
	const char *(*describe_error)(int err);
	/* Where an object is, for the person who looks at it or removes it by hand; noun: "queue", "shared memory".
	 * Never blocks. NULL: elsewhere */
	void (*place)(const struct il_key *key, const char *noun, bool remove, char text[IL_PLACE_TEXT]);
	/* Adds the objects that there are, without making, opening or disturbing any; `folder`: of a disk, else NULL.
	 * May block for a moment. 0 or errno. NULL: it cannot tell */
	int (*list)(const char *folder, struct il_listing *l);
	/* Removes an object that was listed, unless a process has it open (EBUSY), or it holds something (ENOTEMPTY).
	 * `how`: of enum il_unused. A process that opens it meanwhile gets a new one. The program has SIGIO ignored.
	 * ENOENT: it has gone; ENOTSUP: that cannot be known; or errno. May block for a moment. NULL: ENOTSUP */
	int (*remove_unused)(const struct il_found *f, unsigned how);
	/* At the end of the program: all objects are closed, or, in a child made by ipc.process, just left. May block
	 * for a moment. Or NULL */
	void (*fini)(void);
};

#endif
