-- KEYS: meta
-- What becomes of a job that is taken. ARGV: id, entry ("number:token"), outcome, in how many ms it is due, its
-- reason, limits (queue_due.lua), 1 if its lease may have ended; process id, type and bytes of the next message, or
-- none. Replies 0, and 1 if it is dead for want of attempts, and 1 if a process was called to send; 116: it is not
-- taken, or not in this delivery; 105: no room for the next message, and nothing has changed.
-- HERE: queue_state
-- HERE: queue_line
-- HERE: queue_hand
-- HERE: queue_job
-- HERE: queue_back
-- HERE: queue_due
-- HERE: queue_call
local text = redis.call('HGET', KEYS[1], 'state')
if not text or string.sub(text, 1, 32) ~= ARGV[1] then return {43} end
local state, outcome = {struct.unpack(FORMAT, text)}, ARGV[3]
local attempts, keep = string.match(ARGV[6], '^(%d+) %d+ (%d+)')
redis.call('HDEL', KEYS[1], '')
if ARGV[7] == '1' then look(state, ARGV[6]) end
local next_bytes, failed = ARGV[10] and #ARGV[10] - PLAIN, nil
if redis.call('HEXISTS', base .. 'taken', ARGV[2]) == 0 then
  failed = 116
elseif next_bytes then
  drop_dead(state, nil, next_bytes)
  if state[BYTES] + next_bytes > state[CAPACITY] or state[COUNT] >= state[CAPACITY] then failed = 105 end
end
if failed then
  save(state)
  return {failed}
end
local job, dead = end_taken(ARGV[2]), 0
if outcome == 'retry' or outcome == 'bury' then job.reason = ARGV[5] end
if outcome == 'release' then job.attempt = job.attempt - 1 end
if outcome == 'done' then
  forget_id(job)
  if ARGV[10] then
    state[SENDER] = tonumber(ARGV[8])
    put_new(state, ARGV[9], ARGV[10], 0)
  end
elseif outcome == 'bury' or outcome == 'retry' and job.attempt >= limit_of(job.message, tonumber(attempts)) then
  dead = outcome == 'retry' and 1 or 0
  die(state, job, tonumber(keep))
elseif ARGV[4] ~= '0' then
  keep_job(job)
  delay(state, job.name, job.message, ARGV[4])
else
  release(state, job)
end
local called = state[SENDERS] > 0 and call_sender(state)
save(state)
return {0, dead, called and 1 or 0}
