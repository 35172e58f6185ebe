-- KEYS: values names due
-- Makes the data, or finds it: id of new data, or '' to make none (2, ENOENT), size (0: any), size of new data
-- -> id, size
-- To publish where no process listens shows that the user may.
local call = redis.call
call('PUBLISH', KEYS[1]:sub(1, -7) .. 'check', '')
local head = call('HGET', KEYS[1], '')
if head then
  local id, size = head:match('^(%w+) (%d+)')
  return {(ARGV[2] == '0' or ARGV[2] == size) and 0 or 17, id, size}
end
if ARGV[1] == '' then return {2} end
call('DEL', unpack(KEYS)) -- what was left when the server evicted the rest
local size = ARGV[2] == '0' and ARGV[3] or ARGV[2]
call('HSET', KEYS[1], '', ARGV[1] .. ' ' .. size .. ' 0 0')
return {0, ARGV[1], size}
