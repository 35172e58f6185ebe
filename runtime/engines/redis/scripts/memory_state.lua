-- PART of the scripts of shared memory: one string, the id and the number of slots in front of the slots, 24 bytes and
-- 8, then 8 bytes for each slot, the highest first. ARGV: id, slot. Word of a change comes first, see data_state.lua.
local call, channel, at = redis.call, KEYS[1]:sub(1, -6) .. 'changed', 32 + 8 * (ARGV[2] or 0)
if call('GETRANGE', KEYS[1], 0, 23) ~= ARGV[1] then
  redis.pcall('PUBLISH', channel, ARGV[1] .. ':') -- evicted, perhaps
  return {43}
end
