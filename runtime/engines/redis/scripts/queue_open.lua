-- KEYS: meta order types messages
-- Finds or makes a queue. ARGV: an id if it is new, the capacity that is asked for or 0, that of a new one. In meta
-- are also, for each slot of each process, what was last received there (see queue_receive.lua); epoch tells how old
-- that is (see queue_idle.lua).
-- To publish, which nobody hears, shows that the user may.
redis.call('PUBLISH', string.sub(KEYS[1], 1, -5) .. 'check', '')
local m = redis.call('HMGET', KEYS[1], 'id', 'capacity')
if not m[1] then
  redis.call('DEL', unpack(KEYS)) -- what was left when the server evicted the rest
  m = {ARGV[1], ARGV[3]}
  redis.call('HSET', KEYS[1], 'id', m[1], 'capacity', m[2], 'bytes', 0, 'count', 0, 'next', 0, 'epoch', 0,
    'turned', redis.call('TIME')[1], 'last_sender', 0, 'last_receiver', 0)
elseif ARGV[2] ~= '0' and ARGV[2] ~= m[2] then
  return {17, m[1], m[2]}
end
return {0, m[1], m[2]}
