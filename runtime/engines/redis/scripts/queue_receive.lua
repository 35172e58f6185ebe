-- KEYS: meta
-- ARGV: id, process id, delivery ("@process" and its name), number of the request, of 16 digits, how many at most,
-- what is wanted (queue_next.lua), 1 if it stands in line when there is nothing, or 0, with limits (queue_due.lua)
-- behind it; and the last request before it that was given messages, and how many of them have arrived. A process has
-- deliveries, and one request at a time in each. The delivery keeps what the last one was given, "number:epoch:names",
-- the epoch of 8 digits, and the messages' bytes stay until the next request there: so one that is made again, after a
-- connection was lost, gets the same; one that comes behind its successor gets nothing; and what has not arrived goes
-- back to its place. A request for 0 messages only says so. The first write is one that is allowed when memory is out.
-- Replies with types and bytes, and then 1 if a process was called to send; or 11, and when it stands, how many ms
-- from now something is due, or -1, and how many deliveries stand. What the server has evicted a part of is no queue
-- any more.
-- HERE: queue_state
local found = redis.call('HMGET', KEYS[1], 'state', ARGV[3])
if not found[1] then return {43} end
local id, kind, capacity, bytes, count, last, first, border, sorted, arrivals, receivers, senders, sender, receiver,
  epoch, due, token = struct.unpack(FORMAT, found[1])
if id ~= ARGV[1] then return {43} end
local mark = found[2]
local before = mark and string.sub(mark, 1, 16)
local fresh = not mark or before < ARGV[4]
local behind = border > 0 and border or last + 1

local settled = mark and fresh and (#mark == 26 or #mark == 62 and before == ARGV[8] and ARGV[9] == '1')

-- One message of the run, in a delivery that had one, which has arrived, or none; and no process waits for room.
if settled and first < behind and sorted == 0 and senders == 0 and ARGV[5] == '1' and
  (due == 0 or (redis.call('TIME')[1] + 1) * 1000 <= due) and (kind == ARGV[6] or ARGV[6] == '0') then
  local number = ('%016d'):format(first)
  local message = redis.call('HGET', KEYS[1], number)
  redis.call('HDEL', KEYS[1], string.sub(mark, 47))
  redis.call('HSET', KEYS[1], 'state', struct.pack(FORMAT, id, kind, capacity, bytes - #message + PLAIN,
    count - 1, last, first + 1, border, 0, arrivals, receivers, 0, sender, ARGV[2], epoch, due, token), ARGV[3],
    ARGV[4] .. epoch .. kind .. ':' .. number)
  return {0, kind, message}
end

local first_digit, key = string.sub(ARGV[6], 1, 1), string.sub(ARGV[3], 2)
local field = ARGV[6] == '0' and 'w' or first_digit == '-' and 'w-' or 'w' .. ARGV[6]
local bound = first_digit == '-' and string.sub(ARGV[6], 2) or ('0'):rep(19)

-- Nothing is there, and the delivery comes to stand in line.
if settled and count == 0 and due == 0 and string.byte(ARGV[7]) == 49 then
  local line = redis.call('HGET', KEYS[1], field) or ''
  if not string.find(line, key, 1, true) then
    redis.call('HDEL', KEYS[1], string.sub(mark, 47))
    redis.call('HSET', KEYS[1], field, ('%s%014d%s%s'):format(line, arrivals + 1, key, bound), 'state',
      struct.pack(FORMAT, id, kind, capacity, bytes, 0, last, first, border, 0, arrivals + 1, receivers + 1, senders,
      sender, receiver, epoch, 0, token), ARGV[3], ARGV[4] .. epoch)
    return {11, -1, receivers + 1}
  end
end

-- HERE: queue_line
-- HERE: queue_next
local state = {id, kind, capacity, bytes, count, last, first, border, sorted, arrivals, receivers, senders, sender,
  receiver, epoch, due, token}
local names = {}

local function reply_of()
  local numbers, reply, size = {}, {names[1] and 0 or 11}, 0
  if not names[1] then return reply, 0 end
  for i = 1, #names do numbers[i] = string.sub(names[i], 21) end
  local messages = redis.call('HMGET', KEYS[1], unpack(numbers))
  for i = 1, #names do
    reply[2 * i], reply[2 * i + 1] = string.sub(names[i], 1, 19), messages[i]
    size = size + size_of(messages[i] or '\0________')
  end
  return reply, size
end

for i = NAMES, #(mark or ''), NAME do names[#names + 1] = string.sub(mark, i, i + NAME - 1) end
if before == ARGV[4] and names[1] then
  redis.call('HDEL', KEYS[1], 'h' .. ARGV[3])
  return (reply_of())
end
if before and before > ARGV[4] then return {116} end
local arrived = before == ARGV[8] and tonumber(ARGV[9]) or 0
local old = {''}
for i = 1, math.min(#names, arrived) do old[i] = string.sub(names[i], 21) end
redis.call('HDEL', KEYS[1], unpack(old))
if not mark then
  redis.call('HSET', KEYS[1], 'deliveries', (redis.call('HGET', KEYS[1], 'deliveries') or '') .. ARGV[3] .. ' ')
end
local max, whole = tonumber(ARGV[5]), true
if max > 1 then max = math.min(max, 1 + math.floor(1048576 * count / (bytes + 1))) end
local at = max == 0 and receivers > 0 and string.find(line_of(field), key, 1, true)
if at then cut(state, field, at - 14, RECEIVERS) end
if names[1 + arrived] or before == ARGV[4] or due > 0 then
  -- HERE: queue_hand
  -- HERE: queue_job
  -- HERE: queue_back
  -- HERE: queue_due
  if max > 0 then look(state, string.sub(ARGV[7], 3)) end
  if names[1] then redis.call('HDEL', KEYS[1], 'h' .. ARGV[3]) end
  for i = 1 + arrived, #names do put_back(state, names[i]) end
  if before == ARGV[4] then sweep_again(state) end
end
names = {}
local gone = {}
while #names < max do
  local name, of_run = next_message(state, ARGV[6])
  if not name then break end
  names[#names + 1] = name
  if of_run then
    state[FIRST] = state[FIRST] + 1
  else
    state[SORTED] = state[SORTED] - 1
    gone[#gone + 1] = 'j' .. string.sub(name, 21)
    whole = redis.call('ZREM', base .. 'order', name) + redis.call('ZREM', base .. 'types', name) == 2 and whole
  end
end
if not whole or not names[1] and max > 0 and is_torn(state) then
  -- HERE: queue_end
  return remove_queue()
end
local reply, size = reply_of()
set_field(ARGV[3], ARGV[4] .. epoch .. table.concat(names))
if names[1] then
  for i = 3, #reply, 2 do
    local id_size = reply[i] and string.byte(reply[i]) == 1 and string.byte(reply[i], 12) or 0
    if id_size > 0 then gone[#gone + 1] = 'i' .. string.sub(reply[i], 13, 12 + id_size) end
  end
  if gone[1] then redis.call('HDEL', KEYS[1], unpack(gone)) end
  state[BYTES], state[COUNT], state[RECEIVER] = state[BYTES] - size, state[COUNT] - #names, tonumber(ARGV[2])
  if senders > 0 then
    -- HERE: queue_call
    if call_sender(state) then reply[#reply + 1] = 1 end
  end
elseif string.byte(ARGV[7]) == 49 then
  -- HERE: queue_stand
  stand(state, field, RECEIVERS, key, bound, '')
  reply[2], reply[3] = until_next(state), state[RECEIVERS]
end
save(state)
return reply
