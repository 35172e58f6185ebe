/* SPDX-License-Identifier: MIT
 *
 * A named object in a folder, as this process has it: a handle, and changes that are under way. What is known of it for
 * good stands in the table "objects", under "queue:jobs", so one that was made anew, after it was removed, is known
 * to be another one. Floor 2: no lua.h.
 */
#ifndef IL_DISK_OBJECT_H
#define IL_DISK_OBJECT_H

#include "engines/disk/environment.h"
#include "engines/disk/transaction.h"

struct il_disk_object {
	struct il_disk *disk;
	struct il_disk_table *objects; /* where it is recorded */
	struct il_disk_table *table; /* its own, "queue:jobs" */
	struct il_disk_table *index; /* a second one, or NULL; it is there and goes with the first */
	struct il_list changes; /* of struct il_disk_change: that have not ended */
	uint32_t refs; /* the handle, and each of these */
	uint64_t id; /* no later object of this name has it; 0: not open yet */
	uint64_t size; /* as it was made */
	bool existing; /* it is not to be made */
	bool soon; /* its changes do not wait for the disk */
	uint64_t key; /* to announce, and to go on from (il_disk_key_of) */
	void (*free)(struct il_disk_object *o);
};

/* Opens the folder, and prepares what il_disk_object_make needs; `noun`: "queue"; `mode`: of the options. `free` is
 * called when the last ref has gone, with what this function made gone already. 0; or errno, and nothing will be
 * called. */
int il_disk_object_init(struct il_disk_object *o, const struct il_key *key, const char *noun, unsigned mode,
	void (*free)(struct il_disk_object *o));
void il_disk_object_drop(struct il_disk_object *o);

/* Before it is made: it has a second table, "due:jobs". 0 or ENOMEM. */
int il_disk_object_index(struct il_disk_object *o, const struct il_key *key, const char *noun);

/* These are for apply(), and the second one for a look, too. Results as those of transaction.h. */

/* Finds or makes the object, its record and its table. `size`: as the caller wants it; 0: any, or else `usual`. EEXIST:
 * it has another one, o->size. ENOENT: it is not to be made. *made: it is new. */
int il_disk_object_make(struct il_disk_object *o, struct il_disk_txn *t, uint64_t size, uint64_t usual, bool *made);

/* Has its table in use. EIDRM: it was removed. */
int il_disk_object_use(struct il_disk_object *o, struct il_disk_txn *t);

/* A change that changes nothing: the record is written as it is. */
int il_disk_object_touch(struct il_disk_object *o, struct il_disk_txn *t);

/* Record and table are gone. Operations that wait for o->key try again, and for what else the caller announces. */
int il_disk_object_remove(struct il_disk_object *o, struct il_disk_txn *t);

#endif
