-- KEYS: slots
-- Makes the memory, or finds it: id of new memory, number of slots as 8 bytes -> id, number of slots as 8 bytes
-- They are in front of the slots: 24 bytes and 8.
-- To publish where no process listens shows that the user may.
redis.call('PUBLISH', string.sub(KEYS[1], 1, -6) .. 'check', '')
local head = redis.call('GETRANGE', KEYS[1], 0, 31)
if head == '' then
  redis.call('SETRANGE', KEYS[1], 0, ARGV[1] .. ARGV[2])
  return {0, ARGV[1], ARGV[2]}
end
local slots = string.sub(head, 25)
return {slots == ARGV[2] and 0 or 17, string.sub(head, 1, 24), slots}
