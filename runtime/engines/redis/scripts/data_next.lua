-- KEYS: values names due
-- The names after another one, or from the first on: id, name or '', how many at most, about how many bytes
-- -> 1 if there may be more, else 0; for how many microseconds at most that is so; then name, version:value of each
-- HERE: data_state
-- HERE: data_whole
local after = ARGV[2] == '' and '-' or '(' .. ARGV[2]
local reply, room, fresh, more = {0, 0, 0}, tonumber(ARGV[4]), 1000000, true
while more and #reply == 3 do
  local names = call('ZRANGEBYLEX', KEYS[2], after, '+', 'LIMIT', 0, ARGV[3])
  more = #names == tonumber(ARGV[3])
  for first = 1, #names, 16 do
    if room <= 0 then
      more = true
      break
    end
    for i, record in ipairs(call('HMGET', KEYS[1], unpack(names, first, math.min(first + 15, #names)))) do
      if live(record) then
        reply[#reply + 1] = names[first + i - 1]
        reply[#reply + 1] = record
        room = room - #record
        fresh = math.min(fresh, left(record) or fresh)
      end
    end
  end
  after = '(' .. (names[#names] or '')
end
reply[2], reply[3] = more and 1 or 0, fresh
return reply
