-- KEYS: values names
-- The names after another one, or from the first on: id, name or '', how many at most, about how many bytes
-- -> 1 if there may be more, else 0; then name, version:value of each
-- HERE: data_state
-- HERE: data_whole
local after = ARGV[2] == '' and '-' or '(' .. ARGV[2]
local names = call('ZRANGEBYLEX', KEYS[2], after, '+', 'LIMIT', 0, ARGV[3])
local reply, room = {0, #names == tonumber(ARGV[3]) and 1 or 0}, tonumber(ARGV[4])
for first = 1, #names, 16 do
  if room <= 0 then
    reply[2] = 1
    break
  end
  for i, value in ipairs(call('HMGET', KEYS[1], unpack(names, first, math.min(first + 15, #names)))) do
    reply[#reply + 1] = names[first + i - 1]
    reply[#reply + 1] = value
    room = room - #value
  end
end
return reply
