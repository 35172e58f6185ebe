-- KEYS: slots
-- id, slot, integer -> the 8 bytes of the sum: what BITFIELD tells here is a double
-- HERE: memory_state
call('PUBLISH', channel, ARGV[1] .. ':' .. ARGV[2])
call('BITFIELD', KEYS[1], 'OVERFLOW', 'WRAP', 'INCRBY', 'i64', '#' .. ARGV[2] + 4, ARGV[3])
return {0, call('GETRANGE', KEYS[1], at, at + 7)}
