-- KEYS: meta order types
-- Finds or makes a queue. ARGV: an id if it is new, the capacity that is asked for or 0, that of a new one. To publish
-- where no process listens shows that the user may.
-- HERE: queue_state
redis.call('PUBLISH', string.sub(KEYS[1], 1, -5) .. 'check', '')
local found = redis.call('HGET', KEYS[1], 'state')
if found then
  local id, _, capacity = struct.unpack(FORMAT, found)
  local differs = ARGV[2] ~= '0' and capacity ~= tonumber(ARGV[2])
  return {differs and 17 or 0, id, capacity}
end
redis.call('DEL', unpack(KEYS)) -- what was left when the server evicted the rest
local state = struct.pack(FORMAT, ARGV[1], ('0'):rep(19), ARGV[3], 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
redis.call('HSET', KEYS[1], 'state', state, 'turned', redis.call('TIME')[1])
return {0, ARGV[1], tonumber(ARGV[3])}
