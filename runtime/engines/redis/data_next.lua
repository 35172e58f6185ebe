-- KEYS: meta values names
-- The names after another one, or from the first on: id, name or '', how many at most, about how many bytes
-- -> 1 if there may be more, else 0; then version:length of name:name and value of each
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return {43} end
local after = ARGV[2] == '' and '-' or '(' .. ARGV[2]
local names = redis.call('ZRANGEBYLEX', KEYS[3], after, '+', 'LIMIT', 0, ARGV[3])
local reply, room = {0, #names == tonumber(ARGV[3]) and 1 or 0}, tonumber(ARGV[4])
for i, name in ipairs(names) do
  local value = redis.call('HGET', KEYS[2], name)
  local version = string.match(value, '^%d+')
  reply[i + 2] = version .. ':' .. #name .. ':' .. name .. string.sub(value, #version + 2)
  room = room - #reply[i + 2]
  if room < 0 and i < #names then
    reply[2] = 1
    break
  end
end
return reply
