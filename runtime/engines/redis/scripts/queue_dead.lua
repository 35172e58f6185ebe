-- KEYS: meta
-- Dead letters. ARGV: id, verb, and what follows it. Verbs and replies: next place: the place, name, attempt, deaths,
-- reason and message of the one after that place, or 11; revive id, drop id: how many; "" is all of them.
-- HERE: queue_state
-- HERE: queue_line
-- HERE: queue_hand
-- HERE: queue_job
-- HERE: queue_back
-- HERE: queue_call
local text = redis.call('HGET', KEYS[1], 'state')
if not text or string.sub(text, 1, 32) ~= ARGV[1] then return {43} end
local state, verb, dead = {struct.unpack(FORMAT, text)}, ARGV[2], base .. 'dead'
if verb == 'next' then
  local after = redis.call('ZRANGEBYSCORE', dead, '(' .. ARGV[3], '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if not after[1] then return {11} end
  local number = string.sub(after[1], 21)
  local attempt, deaths, size = struct.unpack('<HHB', redis.call('HGET', KEYS[1], 'j' .. number))
  return {0, ('%.0f'):format(after[2]), after[1], attempt, deaths,
    string.sub(redis.call('HGET', KEYS[1], 'j' .. number), 6, 5 + size), redis.call('HGET', KEYS[1], number)}
end
local count = 0
redis.call('HDEL', KEYS[1], '') -- needs no memory: so what follows may, where there is none
for _, name in ipairs(redis.call('ZRANGE', dead, 0, -1)) do
  local number = string.sub(name, 21)
  local message = redis.call('HGET', KEYS[1], number) or '\0________'
  local id = id_of(message)
  local is_wanted = ARGV[3] == '' or 'i' .. ARGV[3] == (id or 'i#' .. tonumber(number))
  if is_wanted and (verb == 'drop' or not id or redis.call('HSETNX', KEYS[1], id, number) == 1) then
    count = count + 1
    redis.call('ZREM', dead, name)
    redis.call('HDEL', KEYS[1], 'j' .. number)
    state[BYTES] = state[BYTES] - size_of(message)
    if verb == 'drop' then redis.call('HDEL', KEYS[1], number) else put_back(state, name) end
  end
end
call_sender(state)
save(state)
return {0, count}
