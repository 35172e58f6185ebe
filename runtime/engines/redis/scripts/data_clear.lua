-- KEYS: values names due
-- Takes all names away: id -> how many
-- HERE: data_state
local size, last = head:match(' (%d+) %-?%d+ (%d+)')
local count = call('HLEN', KEYS[1]) - 1 - call('ZCOUNT', KEYS[3], '-inf', ('%.0f'):format(now()))
call('PUBLISH', channel, ARGV[1] .. '*')
call('UNLINK', unpack(KEYS))
call('HSET', KEYS[1], '', ('%s %s 0 %s'):format(ARGV[1], size, last))
return {0, count}
