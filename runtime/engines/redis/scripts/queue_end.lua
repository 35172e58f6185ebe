-- PART of the scripts that end a queue.
-- All processes that wait are told.
local function remove_queue()
  local told, from = {}, '0'
  local function tell(line)
    for at = 15, #line, WIDTH do told[string.sub(line, at, at + 15)] = true end
  end
  repeat
    local found = redis.call('HSCAN', KEYS[1], from, 'MATCH', 'w*', 'COUNT', 1000)
    from = found[1]
    for i = 2, #found[2], 2 do tell(found[2][i]) end
  until from == '0'
  tell(redis.call('HGET', KEYS[1], 'full') or '')
  for process in pairs(told) do redis.pcall('PUBLISH', base .. process, 'removed ' .. ARGV[1]) end
  for _, key in ipairs{'meta', 'order', 'types', 'taken', 'delayed', 'dead'} do redis.call('DEL', base .. key) end
  return {43}
end
