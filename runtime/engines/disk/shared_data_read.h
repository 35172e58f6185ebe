/* SPDX-License-Identifier: MIT
 *
 * Operations of shared data on a disk that change nothing. Floor 2: no lua.h.
 */
#ifndef IL_DISK_SHARED_DATA_READ_H
#define IL_DISK_SHARED_DATA_READ_H

#include "loop/op.h"

/* For attempt and start of the operations; they are cancelled by il_disk_data_cancel. */
bool il_disk_data_get(struct il_op *op);
int il_disk_data_get_start(struct il_op *op);
bool il_disk_data_next(struct il_op *op);
int il_disk_data_next_start(struct il_op *op);
bool il_disk_data_each(struct il_op *op);
int il_disk_data_each_start(struct il_op *op);
bool il_disk_data_stat(struct il_op *op);
int il_disk_data_stat_start(struct il_op *op);
bool il_disk_data_wait(struct il_op *op);
int il_disk_data_wait_start(struct il_op *op);
bool il_disk_data_cancel(struct il_op *op);

#endif
