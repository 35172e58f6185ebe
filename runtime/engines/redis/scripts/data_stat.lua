-- KEYS: values names due
-- id -> names, bytes used
-- HERE: data_state
local gone = call('ZCOUNT', KEYS[3], '-inf', ('%.0f'):format(now()))
return {0, call('HLEN', KEYS[1]) - 1 - gone, head:match(' %d+ (%-?%d+)')}
