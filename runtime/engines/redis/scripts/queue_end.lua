-- PART of the scripts that end a queue.
-- All processes that wait are told.
local function remove_queue()
  local told = {}
  local function tell(line)
    for at = 15, #line, 49 do told[string.sub(line, at, at + 15)] = true end
  end
  local from = '0'
  repeat
    local found = redis.call('HSCAN', KEYS[1], from, 'MATCH', 'w*', 'COUNT', 1000)
    from = found[1]
    for i = 2, #found[2], 2 do tell(found[2][i]) end
  until from == '0'
  tell(redis.call('HGET', KEYS[1], 'full') or '')
  for client in pairs(told) do
    redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -5) .. client, 'removed ' .. ARGV[1])
  end
  redis.call('DEL', unpack(KEYS))
end
