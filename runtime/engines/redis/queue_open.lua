-- KEYS: meta
-- Finds or makes a queue. ARGV: an id if it is new, the capacity that is asked for or 0, that of a new one. In meta
-- are also, for each slot of each process, what was last received there (see queue_receive.lua); epoch tells how old
-- that is (see queue_idle.lua).
local m = redis.call('HMGET', KEYS[1], 'id', 'capacity')
if not m[1] then
  m = {ARGV[1], ARGV[3]}
  redis.call('HSET', KEYS[1], 'id', m[1], 'capacity', m[2], 'bytes', 0, 'count', 0, 'next', 0, 'epoch', 0,
    'turned', redis.call('TIME')[1], 'last_sender', 0, 'last_receiver', 0)
elseif ARGV[2] ~= '0' and ARGV[2] ~= m[2] then
  return {17, m[1], m[2]}
end
return {0, m[1], m[2]}
