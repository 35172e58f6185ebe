-- KEYS: meta order types
-- ARGV: id, process id, slot ("@process:number"), number of the request, of 16 digits, how many at most, what is wanted
-- (queue_take.lua), its place in line ("": none yet; "-": it will not wait). A process has slots, and one request at a
-- time in each. The slot keeps what the last one got, "number:epoch:names", the epoch of 8 digits, and the messages'
-- bytes stay until the next request there: so one that is made again, after a connection was lost, gets the same, and
-- one that arrives late, behind its successor, gets nothing. The first write is one that is allowed when memory is out.
-- Replies with types and bytes, and then 1 if a process was called to send; 11 if there is none. With less than it
-- wants, the process stands in line. What the server has evicted a part of is no queue any more.
local NAME, NAMES = 36, 27 -- the size of one, and where they begin
-- HERE: queue_state
local found = redis.call('HMGET', KEYS[1], 'state', ARGV[3])
if not found[1] then return {43} end
local id, kind, capacity, bytes, count, last, first, border, sorted, arrivals, receivers, senders, failed, sender,
  receiver, epoch = struct.unpack(FORMAT, found[1])
if id ~= ARGV[1] then return {43} end
local mark = found[2]
local before = mark and string.sub(mark, 1, 16)
local fresh = not mark or before + 0 < ARGV[4] + 0
local behind = border > 0 and border or last + 1

-- One message of the run, in a slot that had one or none, and no process waits for room.
if first < behind and sorted == 0 and senders == 0 and ARGV[5] == '1' and fresh and mark and #mark < NAMES + NAME and
  (kind == ARGV[6] or ARGV[6] == '0') then
  local number = ('%016d'):format(first)
  local message = redis.call('HGET', KEYS[1], number)
  redis.call('HDEL', KEYS[1], string.sub(mark, NAMES + 20))
  redis.call('HSET', KEYS[1], 'state', struct.pack(FORMAT, id, kind, capacity, bytes - #message, count - 1, last,
    first + 1, border, 0, arrivals, receivers, 0, failed, sender, ARGV[2], epoch), ARGV[3],
    ('%s:%08d:%s:%s'):format(ARGV[4], epoch, kind, number))
  return {0, kind, message}
end

-- HERE: queue_line
-- HERE: queue_take
-- HERE: queue_end
local state = {id, kind, capacity, bytes, count, last, first, border, sorted, arrivals, receivers, senders, failed,
  sender, receiver, epoch}

local function reply_of(names)
  local fields, reply, size = {}, {names[1] and 0 or 11}, 0
  if not names[1] then return reply, 0 end
  for i = 1, #names do fields[i] = string.sub(names[i], 21) end
  local messages = redis.call('HMGET', KEYS[1], unpack(fields))
  for i = 1, #names do
    reply[2 * i], reply[2 * i + 1] = string.sub(names[i], 1, 19), messages[i]
    size = size + #messages[i]
  end
  return reply, size
end

local names, old = {}, {''}
if before == ARGV[4] then
  for i = NAMES, #mark, NAME do names[#names + 1] = string.sub(mark, i, i + NAME - 1) end
  return (reply_of(names))
end
if not fresh then return {116} end
for i = NAMES + 20, #(mark or ''), NAME do old[#old + 1] = string.sub(mark, i, i + 15) end
redis.call('HDEL', KEYS[1], unpack(old))
publish = redis.pcall
if not mark then
  redis.call('HSET', KEYS[1], 'slots', (redis.call('HGET', KEYS[1], 'slots') or '') .. ARGV[3] .. ' ')
end
local max, whole = tonumber(ARGV[5]), true
while #names < max do
  local name, of_run = next_message(state, ARGV[6])
  if not name then break end
  names[#names + 1] = name
  if of_run then
    state[FIRST] = state[FIRST] + 1
  else
    state[SORTED] = state[SORTED] - 1
    whole = redis.call('ZREM', KEYS[2], name) + redis.call('ZREM', KEYS[3], name) == 2 and whole
  end
end
if not names[1] and sorted > 0 then
  whole = redis.call('ZCARD', KEYS[2]) == sorted and redis.call('ZCARD', KEYS[3]) == sorted
end
if not whole then
  remove_queue()
  return {43}
end
local reply, size = reply_of(names)
if names[1] then
  state[BYTES], state[COUNT], state[RECEIVER] = bytes - size, count - #names, tonumber(ARGV[2])
  if senders > 0 and call_sender(state) then reply[#reply + 1] = 1 end
end
if #names < max and ARGV[7] ~= '-' then
  local first_digit = string.sub(ARGV[6], 1, 1)
  local bound = first_digit == '-' and string.sub(ARGV[6], 2) or ('0'):rep(19)
  local field = ARGV[6] == '0' and 'w' or first_digit == '-' and 'w-' or 'w' .. ARGV[6]
  stand(state, field, RECEIVERS, string.sub(ARGV[3], 2, 17), bound, ARGV[7])
end
save(state, {ARGV[3], ('%s:%08d:%s'):format(ARGV[4], epoch, table.concat(names))})
return reply
