/* SPDX-License-Identifier: MIT
 *
 * Operations of shared data on a disk that change it. Floor 2: no lua.h.
 */
#ifndef IL_DISK_SHARED_DATA_WRITE_H
#define IL_DISK_SHARED_DATA_WRITE_H

#include "loop/op.h"

/* For attempt, start and cancel of the operations: one that has begun is not cancelled, but has a result. */
bool il_disk_data_set(struct il_op *op);
int il_disk_data_set_start(struct il_op *op);
int il_disk_data_delete_start(struct il_op *op);
bool il_disk_data_change(struct il_op *op);
int il_disk_data_change_start(struct il_op *op);
int il_disk_data_clear_start(struct il_op *op);
bool il_disk_data_cancel_change(struct il_op *op);

#endif
