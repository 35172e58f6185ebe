-- KEYS: slots
-- Makes the memory, or finds it: id of new memory, or '' to make none (2, ENOENT), number of slots as 8
-- bytes -> id, number of slots as 8 bytes
-- To publish where no process listens shows that the user may.
redis.call('PUBLISH', KEYS[1]:sub(1, -6) .. 'check', '')
local head = redis.call('GETRANGE', KEYS[1], 0, 31)
if head == '' then
  if ARGV[1] == '' then return {2} end
  redis.call('SETRANGE', KEYS[1], 0, ARGV[1] .. ARGV[2])
  return {0, ARGV[1], ARGV[2]}
end
return {head:sub(25) == ARGV[2] and 0 or 17, head:sub(1, 24), head:sub(25)}
