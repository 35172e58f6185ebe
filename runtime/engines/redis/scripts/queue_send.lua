-- KEYS: meta order types
-- ARGV: id, process id, batch ("process:number"), its place in line for room ("": none yet; "-": it will not wait),
-- then
-- of each message its type, of 19 digits, and its bytes. They are accepted one after the other until there is no room
-- for one; after that nothing of this batch gets in any more, for it would overtake. Replies how many were accepted,
-- and
-- 11 if these were not all; 1 if that was for want of room; 1 if a process was called to receive; 1 if one was to
-- send. To call comes first: where the user may not publish, nothing is sent.
-- HERE: queue_state
local text = redis.call('HGET', KEYS[1], 'state')
if not text then return {43} end
local id, kind, capacity, bytes, count, last, first, border, sorted, arrivals, receivers, senders, failed, sender,
  receiver, epoch = struct.unpack(FORMAT, text)
if id ~= ARGV[1] then return {43} end

-- One message of the run, and no process waits.
if #ARGV == 6 and receivers == 0 and senders == 0 and failed == 0 and bytes + #ARGV[6] <= capacity and
  count < capacity then
  if count == 0 then first, border = last + 1, 0 end
  if border == 0 and (first == last + 1 or kind == ARGV[5]) then
    redis.call('HSET', KEYS[1], ('%016d'):format(last + 1), ARGV[6], 'state', struct.pack(FORMAT, id, ARGV[5], capacity,
      bytes + #ARGV[6], count + 1, last + 1, first, 0, sorted, arrivals, 0, 0, 0, ARGV[2], receiver, epoch))
    return {0, 1}
  end
end

if failed == 1 and redis.call('HGET', KEYS[1], 'failed') == ARGV[3] then return {11, 0} end

-- HERE: queue_line
local state = {id, kind, capacity, bytes, count, last, first, border, sorted, arrivals, receivers, senders,
  failed, sender, receiver, epoch}
local messages, names, n, called = {}, {}, 0, 0
for i = 5, #ARGV, 2 do
  local type, size = ARGV[i], #ARGV[i + 1]
  if state[BYTES] + size > capacity or state[COUNT] >= capacity then break end
  local number = state[LAST] + 1
  if state[COUNT] == 0 then state[FIRST], state[BORDER] = number, 0 end
  state[LAST], state[BYTES], state[COUNT], n = number, state[BYTES] + size, state[COUNT] + 1, n + 1
  messages[2 * n - 1], messages[2 * n] = ('%016d'):format(number), ARGV[i + 1]
  if state[BORDER] == 0 and state[FIRST] == number then
    state[KIND] = type
  elseif state[BORDER] > 0 or state[KIND] ~= type then
    if state[BORDER] == 0 then state[BORDER] = number end
    names[#names + 1] = type .. ':' .. messages[2 * n - 1]
  end
  if state[RECEIVERS] > 0 and call_receiver(state, type) then called = 1 end
end
local full, called_sender = n < (#ARGV - 4) / 2, false
state[SORTED], state[SENDER] = sorted + #names, n > 0 and tonumber(ARGV[2]) or sender
publish = redis.pcall
if full then
  local size = ('%019d'):format(#ARGV[6 + 2 * n])
  if ARGV[4] ~= '-' then stand(state, 'full', SENDERS, string.sub(ARGV[3], 1, 16), size, ARGV[4]) end
  messages[2 * n + 1], messages[2 * n + 2] = 'failed', ARGV[3]
  state[FAILED] = 1
elseif senders > 0 then
  called_sender = call_sender(state)
end
save(state, messages)
for _, name in ipairs(names) do
  redis.call('ZADD', KEYS[2], string.sub(name, 21), name)
  redis.call('ZADD', KEYS[3], 0, name)
end
return {full and 11 or 0, n, full and 1 or 0, called, called_sender and 1 or 0}
