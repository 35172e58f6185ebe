/* SPDX-License-Identifier: MIT
 *
 * Messages as the server keeps them, see queue_record.h. Floor 2.
 */
#include "engines/redis/queue_record.h"
#include "base/clock.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLAIN = 9, JOB = 12, TYPE = 19 }; /* of a job its id follows */

void il_rq_record_type(struct il_command *c, int64_t type)
{
	char text[24] = "0";
	if (type)
		snprintf(text, sizeof text, "%s%019lld", type < 0 ? "-" : "", (long long)llabs(type));
	il_command_text(c, text);
}

void il_rq_record_command(struct il_command *c, const struct il_job *job, const void *data, size_t size)
{
	char head[JOB + IL_JOB_ID_MAX] = { job != NULL };
	size_t head_size = job ? JOB + (size_t)job->id_size : PLAIN;
	uint64_t sent = htole64((uint64_t)il_wall_now());
	memcpy(head + 1, &sent, sizeof sent);
	if (job) {
		head[9] = (char)(job->attempts & 255);
		head[10] = (char)(job->attempts >> 8);
		head[11] = (char)job->id_size;
		memcpy(head + JOB, job->id, job->id_size);
	}
	il_command_two(c, head, head_size, data, size);
}

size_t il_rq_record_head(const char *record, size_t size)
{
	size_t head = size >= JOB && record[0] == 1 ? JOB + (size_t)(unsigned char)record[11] : PLAIN;
	return size >= head ? head : 0;
}

int64_t il_rq_record_sent(const char *record, size_t size)
{
	uint64_t sent = 0;
	if (size >= PLAIN)
		memcpy(&sent, record + 1, sizeof sent);
	return (int64_t)le64toh(sent);
}

/* The message of a record becomes the operation's. 0, EPROTO or ENOMEM. */
static int take(const char *record, size_t size, struct il_op *op)
{
	size_t head = il_rq_record_head(record, size);
	if (!head)
		return EPROTO;
	op->data = malloc(size - head + 1);
	if (!op->data)
		return ENOMEM;
	memcpy(op->data, record + head, size - head);
	op->size = size - head;
	op->owned = true;
	return 0;
}

int il_rq_record_job(const char *name, const char *record, size_t size, struct il_op *op)
{
	struct il_job *job = op->message.job;
	size_t head = il_rq_record_head(record, size);
	if (!head || strlen(name) != TYPE + 17)
		return EPROTO;
	op->message.type = strtoll(name, NULL, 10);
	job->place = strtoull(name + TYPE + 1, NULL, 10);
	job->sent = il_rq_record_sent(record, size);
	job->attempts = record[0] ? (uint32_t)(unsigned char)record[9] | (uint32_t)(unsigned char)record[10] << 8 : 0;
	job->id_size = (uint8_t)(head > JOB ? head - JOB : 0);
	memcpy(job->id, record + JOB, job->id_size);
	if (!job->id_size)
		job->id_size = (uint8_t)snprintf(job->id, sizeof job->id, "#%llu", (unsigned long long)job->place);
	return take(record, size, op);
}

int il_rq_record_message(struct il_request *r, size_t place, struct il_op *op)
{
	size_t at = 2 * place + 2, size;
	const char *record = il_reply_bytes(r, at, &size);
	op->message.type = il_reply_number(r, at - 1);
	return take(record, size, op);
}
