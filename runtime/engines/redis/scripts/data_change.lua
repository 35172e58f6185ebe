-- PART of the scripts that change shared data.
local size, used, last = head:match(' (%d+) (%-?%d+) (%d+)')
local version = old and old:match('^%d+') or '0'

-- Gives the name a value, nil: takes it away. Returns the reply: ENOSPC, or 0 and its version.
local function change(value)
  local more = (value and #value + #ARGV[2] or 0) - (old and #old - #version - 1 + #ARGV[2] or 0)
  used = used + more
  if more > 0 and used > tonumber(size) then return {28} end
  local time = call('TIME')
  local new = ('%.0f'):format(math.max(time[1] * 1000000 + time[2], last + 1))
  head = ('%s %s %.0f %s'):format(ARGV[1], size, used, new)
  call('PUBLISH', channel, ARGV[1] .. ':' .. ARGV[2])
  if value then
    call('HSET', KEYS[1], '', head, ARGV[2], new .. ':' .. value)
    if not old then call('ZADD', KEYS[2], 0, ARGV[2]) end
  else
    call('HDEL', KEYS[1], ARGV[2])
    call('ZREM', KEYS[2], ARGV[2])
    call('HSET', KEYS[1], '', head)
  end
  return {0, new}
end
