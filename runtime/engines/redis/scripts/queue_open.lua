-- KEYS: meta
-- Finds or makes a queue. ARGV: an id if it is new, or '' to make none (2, ENOENT), the capacity that is
-- asked for or 0, that of a new one. To publish where no process listens shows that the user may.
-- HERE: queue_state
local base = string.sub(KEYS[1], 1, -5)
redis.call('PUBLISH', base .. 'check', '')
local found = redis.call('HGET', KEYS[1], 'state')
if found then
  local id, _, capacity = struct.unpack(FORMAT, found)
  local differs = ARGV[2] ~= '0' and capacity ~= tonumber(ARGV[2])
  return {differs and 17 or 0, id, capacity}
end
if ARGV[1] == '' then return {2} end
for _, key in ipairs{'order', 'types', 'taken', 'delayed', 'dead', 'meta'} do
  redis.call('DEL', base .. key) -- what was left when the server evicted the rest
end
local time = redis.call('TIME')
local state = struct.pack(FORMAT, ARGV[1], ('0'):rep(19), ARGV[3], 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, ':00000000:', 0,
  time[1] * 1000000 + time[2]) -- so no token is given twice, also when the queue is removed and made again
redis.call('HSET', base .. 'taken', '', '') -- to make and free a key takes longer than all the rest
redis.call('HSET', KEYS[1], 'state', state, 'turned', time[1])
return {0, ARGV[1], tonumber(ARGV[3])}
