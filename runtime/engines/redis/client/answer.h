/* SPDX-License-Identifier: MIT
 *
 * What a request was answered: its status, and the elements of the reply. Floor 2.
 */
#ifndef IL_REDIS_ANSWER_H
#define IL_REDIS_ANSWER_H

#include "engines/redis/client/request.h"

/* 0 or errno. Scripts reply with an array whose first element is 0 or one of Linux's error numbers (for commands it is
 * 0 if the server did not call their reply an error); other failures are ECONNREFUSED, ECONNABORTED (see IL_UNSAFE),
 * ETIMEDOUT (no answer in the URL's ?timeout=5), ENOMEM (the server has no memory), EACCES (password, rights), EBUSY
 * (it loads its data, or is busy with a script), EROFS (it is a replica), EIO (it cannot save), EPROTO;
 * object->shared->why then says more. Patient requests end with EBUSY or EROFS only when the server is given up. */
int il_request_status(struct il_request *r);

/* Elements of the reply: integers come as integers or as text of digits. Out of range: 0, or "". */
int64_t il_reply_number(const struct il_request *r, size_t element);
const char *il_reply_bytes(const struct il_request *r, size_t element, size_t *size);

/* How many elements the reply has; is this one a string? */
size_t il_reply_count(const struct il_request *r);
bool il_reply_has_string(const struct il_request *r, size_t element);

/* The operation gets a copy of the bytes of an element, from `skip` on. 0; EPROTO: it is no string; ENOMEM. */
int il_reply_take(const struct il_request *r, size_t element, size_t skip, struct il_op *op);

#endif
