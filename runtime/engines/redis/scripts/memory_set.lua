-- KEYS: slots
-- id, slot, 8 bytes; the 8 bytes it must have, or nothing -> the 8 bytes it had, or nothing
-- HERE: memory_state
local had
if ARGV[4] then
  had = call('GETRANGE', KEYS[1], at, at + 7)
  if had == '' then had = ('\0'):rep(8) end
end
if had == ARGV[4] then
  call('PUBLISH', channel, ARGV[1] .. ':' .. ARGV[2])
  call('SETRANGE', KEYS[1], at, ARGV[3])
end
return {0, had}
