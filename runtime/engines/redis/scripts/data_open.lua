-- KEYS: values names
-- Makes the data, or finds it: id of new data, size (0: any), size of new data -> id, size
-- What there is of it is in the field whose name is empty: "id size used version".
-- To publish where no process listens shows that the user may.
redis.call('PUBLISH', string.sub(KEYS[1], 1, -7) .. 'check', '')
local head = redis.call('HGET', KEYS[1], '')
if head then
  local id, size = string.match(head, '^(%w+) (%d+)')
  local same = ARGV[2] == '0' or ARGV[2] == size
  return {same and 0 or 17, id, size}
end
redis.call('DEL', KEYS[1], KEYS[2]) -- what was left when the server evicted the rest
local size = ARGV[2] == '0' and ARGV[3] or ARGV[2]
redis.call('HSET', KEYS[1], '', ARGV[1] .. ' ' .. size .. ' 0 0')
return {0, ARGV[1], size}
