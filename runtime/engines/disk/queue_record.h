/* SPDX-License-Identifier: MIT
 *
 * One record of a queue on disk: its bytes, the keys it is found by, and how it goes from one state to another. A queue
 * has an LMDB database of its own; a message has one record in it, in one state, and the state is the beginning of the
 * record's key. The entries that only help to find records, the counts, and the bytes of a large message change in the
 * same transaction, so a commit leaves one of two states.
 *
 *   h                                  the head: numbers that were given, counts
 *   r sequence                         a ready record, in the order of sending; and
 *   t type sequence                    nothing: the ready ones of a type
 *   w due sequence                     a delayed record
 *   k world start pid handle sequence  a taken record, by its holder
 *   u world start pid                  nothing: a process that takes
 *   x number                           a dead record, in the order of deaths; and
 *   j size id number                   nothing: the dead ones of an id
 *   i id                               nothing: a record that is not dead has this id, and did not get it from us
 *   p sequence                         the bytes of a message that do not fit into its record
 *
 * Numbers in keys are big-endian. What these functions return is 0, errno, or a result of LMDB's. After an error of
 * LMDB's the transaction is to be aborted.
 * Floor 2: no lua.h.
 */
#ifndef IL_DISK_QUEUE_RECORD_H
#define IL_DISK_QUEUE_RECORD_H

#include "engines/disk/transaction.h"
#include "engines/engine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IL_DISK_RECORD_INLINE = 1024 }; /* bytes of a message that its record has room for */

/* A process: its world is the time from one start of the machine to the next. */
struct il_disk_holder {
	uint64_t world, start;
	uint32_t pid;
	uint32_t handle; /* of that process */
};

enum il_disk_state { IL_DISK_READY = 'r', IL_DISK_DELAYED = 'w', IL_DISK_TAKEN = 'k', IL_DISK_DEAD = 'x' };

/* What a record begins with. Then come its id, its reason, and its message if that is short. */
struct il_disk_record {
	uint64_t sequence; /* of the sending: its place */
	int64_t type, sent, due; /* ns of the wall clock */
	uint64_t token; /* of the last delivery */
	uint64_t number; /* of its death */
	struct il_disk_holder holder; /* of one that is taken */
	uint32_t attempt, deaths, attempts; /* as in struct il_job */
	uint32_t size; /* of the message */
	uint8_t id_size; /* 0: its id is "#" and the sequence */
	uint8_t reason_size;
	uint8_t state; /* enum il_disk_state */
	uint8_t reserved[5];
};

/* A record, and where its parts are: in the map, until the next change of the transaction. */
struct il_disk_message {
	struct il_disk_record record;
	const char *id, *reason;
	const void *data;
};

/* The value of "h". */
struct il_disk_queue_head {
	uint64_t magic;
	uint64_t capacity; /* bytes of messages */
	uint64_t sequence, token, number; /* the last ones that were given */
	uint64_t ready, delayed, taken, dead; /* records */
	uint64_t takers; /* processes */
	uint64_t bytes, dead_bytes; /* of messages in all states, and of dead ones */
	int32_t last_sender, last_receiver;
};

/* A queue in a transaction. */
struct il_disk_records {
	struct il_disk_txn *t;
	struct il_disk_table *table; /* in use */
	struct il_disk_queue_head head;
	bool changed; /* the head is to be written */
};

/* Makes the head of a new queue. EEXIST: it has one. */
int il_disk_records_make(struct il_disk_txn *t, struct il_disk_table *table, uint64_t capacity);

/* Reads the head. EUCLEAN: it is damaged, or not there; EPROTO: of another version. */
int il_disk_records_begin(struct il_disk_records *r, struct il_disk_txn *t, struct il_disk_table *table);

/* Writes the head: the last call before a commit. */
int il_disk_records_end(struct il_disk_records *r);

/* The message of a record whose key is as given, or comes first of those that are not less. MDB_NOTFOUND: there is no
 * such key, or it is one of another state. */
struct il_disk_key {
	uint16_t size;
	uint8_t bytes[1 + 1 + IL_JOB_ID_MAX + 8];
};
int il_disk_record_find(struct il_disk_records *r, const struct il_disk_key *key, bool exact,
	struct il_disk_message *m);

/* The first key that is not less than this one, which it becomes. MDB_NOTFOUND: none that begins with the same byte. */
int il_disk_key_find(struct il_disk_records *r, struct il_disk_key *key);

/* 0: this very key is there. MDB_NOTFOUND: it is not. */
int il_disk_record_has(struct il_disk_records *r, const struct il_disk_key *key);

/* The keys of records, and of what helps to find them. */
void il_disk_key_ready(struct il_disk_key *key, uint64_t sequence);
void il_disk_key_type(struct il_disk_key *key, int64_t type, uint64_t sequence);
void il_disk_key_delayed(struct il_disk_key *key, int64_t due, uint64_t sequence);
void il_disk_key_taken(struct il_disk_key *key, const struct il_disk_holder *holder, uint64_t sequence);
void il_disk_key_taker(struct il_disk_key *key, const struct il_disk_holder *process);
void il_disk_key_dead(struct il_disk_key *key, uint64_t number);
void il_disk_key_dead_id(struct il_disk_key *key, const char *id, size_t size, uint64_t number);
void il_disk_key_id(struct il_disk_key *key, const char *id, size_t size);

/* What is in a key: the number in its last eight bytes; that behind its first byte; the process that takes. */
uint64_t il_disk_key_number(const struct il_disk_key *key);
int64_t il_disk_key_first(const struct il_disk_key *key);
struct il_disk_holder il_disk_key_holder(const struct il_disk_key *key);

/* A process takes from now on, or does not any more. */
int il_disk_taker_add(struct il_disk_records *r, const struct il_disk_holder *process);
int il_disk_taker_delete(struct il_disk_records *r, const struct il_disk_holder *process);

/* A new record, in the state that it says: with all its entries. */
int il_disk_record_add(struct il_disk_records *r, const struct il_disk_message *m);

/* The record goes to another state; the other fields of `to` and the reason may be others, too. Not its id and message.
 */
int il_disk_record_move(struct il_disk_records *r, const struct il_disk_message *from,
	const struct il_disk_message *to);

/* It is gone, with all its entries. */
int il_disk_record_delete(struct il_disk_records *r, const struct il_disk_message *m);

/* The id of a record, as struct il_job has it. */
size_t il_disk_record_id(const struct il_disk_message *m, char id[IL_JOB_ID_MAX + 1]);

#endif
