-- KEYS: values names due
-- Adds to a name whose value is an integer as JSON writes it: id, name, integer -> sum, version; or EAGAIN: it is
-- something else, or the sum has more than 64 bits. Numbers here are doubles: what they cannot hold is added by
-- HINCRBY, which can.
-- HERE: data_state
-- HERE: data_change
local value = old and #old <= 60 and (old:match('^[%d@]+:(%-?[1-9]%d*)$') or old:match('^[%d@]+:(0)$'))
value = value or not old and '0'
if not value then return {11} end
local sum = #value <= 15 and #ARGV[3] <= 15 and ('%.0f'):format(value + ARGV[3])
if not sum then
  call('PUBLISH', channel, ARGV[1] .. ':' .. ARGV[2])
  call('HSET', KEYS[1], ARGV[2], value)
  local added = redis.pcall('HINCRBY', KEYS[1], ARGV[2], ARGV[3])
  sum = type(added) == 'number' and call('HGET', KEYS[1], ARGV[2])
  if stored then call('HSET', KEYS[1], ARGV[2], stored) else call('HDEL', KEYS[1], ARGV[2]) end
  if not sum then return {11} end
end
local reply = change{{ARGV[2], stored, sum, '-1'}}
return reply[2] and {0, sum, reply[2]} or reply
