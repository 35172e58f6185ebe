-- KEYS: meta
-- ARGV: id, process id, process and delivery, its place in line for room ("": none yet; "-": it will not wait), then
-- of each message its type, of 19 digits, and its bytes, which begin as queue_state.lua says. They are accepted one
-- after the other until there is no room for one. Replies how many were accepted, and 11 if these were not all; then
-- how much room there is, and 1 if a process was handed a message, or called to send. Where the user may not publish,
-- nothing is sent; so it is if memory is out.
-- HERE: queue_state
local text = redis.call('HGET', KEYS[1], 'state')
if not text then return {43} end
local id, kind, capacity, bytes, count, last, first, border, sorted, arrivals, receivers, senders, sender, receiver,
  epoch, due, token = struct.unpack(FORMAT, text)
if id ~= ARGV[1] then return {43} end

-- One message of the run, and no process waits.
if #ARGV == 6 and receivers == 0 and senders == 0 and bytes + #ARGV[6] - PLAIN <= capacity and
  count < capacity then
  if count == 0 then first, border = last + 1, 0 end
  if border == 0 and (first == last + 1 or kind == ARGV[5]) then
    redis.call('HSET', KEYS[1], ('%016d'):format(last + 1), ARGV[6], 'state', struct.pack(FORMAT, id, ARGV[5], capacity,
      bytes + #ARGV[6] - PLAIN, count + 1, last + 1, first, 0, sorted, arrivals, 0, 0, ARGV[2], receiver, epoch, due,
      token))
    return {0, 1, capacity - bytes - #ARGV[6] + PLAIN}
  end
end

-- One message for the process that came first, while the queue is empty. If that does not hear it, all is as before.
if #ARGV == 6 and receivers > 0 and count == 0 and senders == 0 and #ARGV[6] <= 65536 and #ARGV[6] <= capacity then
  local lines = redis.call('HMGET', KEYS[1], 'w' .. ARGV[5], 'w', 'w-')
  local own, any = lines[1] or '', lines[2] or ''
  local is_own = own ~= '' and (any == '' or string.sub(own, 1, 14) < string.sub(any, 1, 14))
  local field, line = is_own and 'w' .. ARGV[5] or 'w', is_own and own or any
  local delivery, number = '@' .. string.sub(line, 15, 38), ('%016d'):format(last + 1)
  local takes = string.byte(delivery, 18) == TAKES
  local mark = line ~= '' and (lines[3] or '') == '' and redis.call('HGET', KEYS[1], delivery)
  if mark and #mark == 26 then
    local now, request, base = redis.call('TIME'), string.sub(mark, 1, 16), string.sub(KEYS[1], 1, -5)
    now = ('%013d'):format(now[1] * 1000 + math.floor(now[2] / 1000))
    local given, payload, entry, value = ARGV[5] .. ':' .. number, ARGV[5] .. ARGV[6], number, ARGV[6]
    if takes then
      token = token + 1
      given, payload, entry, value = number .. (':%016d'):format(token), '', 'h' .. delivery, now
      redis.call('HSET', base .. 'taken', given, delivery .. ARGV[5] .. '\1\0\0\0\0' .. ARGV[6])
    end
    redis.call('HSET', KEYS[1], entry, value, 'state', struct.pack(FORMAT, id, kind, capacity, bytes, 0, last + 1,
      last + 2, 0, sorted, arrivals, receivers - 1, 0, ARGV[2], receiver, epoch, due, token), field,
      string.sub(line, 58), delivery, request .. epoch .. given, 'h' .. delivery, now)
    local heard = redis.pcall('PUBLISH', base .. string.sub(delivery, 2, 17), 'message ' .. request .. payload)
    if type(heard) == 'number' and heard > 0 then
      if #line == 57 then redis.call('HDEL', KEYS[1], field) end
      return {0, 1, capacity - bytes, 1}
    end
    if takes then redis.call('HDEL', base .. 'taken', given) end
    redis.call('HDEL', KEYS[1], number, 'h' .. delivery)
    redis.call('HSET', KEYS[1], 'state', text, field, line, delivery, mark)
  end
end

-- HERE: queue_line
-- HERE: queue_hand
local state = {id, kind, capacity, bytes, count, last, first, border, sorted, arrivals, receivers, senders, sender,
  receiver, epoch, due, token}
local stored, names, n, added, called = {}, {}, 0, 0, false
for i = 5, #ARGV, 2 do
  local size = added + #ARGV[i + 1] - PLAIN
  drop_dead(state, nil, size)
  if state[BYTES] + size > capacity or count + n >= capacity then break end
  n, added = n + 1, size
  stored[2 * n - 1], stored[2 * n] = ('%016d'):format(last + n), ARGV[i + 1]
end
if n > 0 then redis.call('HSET', KEYS[1], unpack(stored)) end
for i = 1, n do
  local type, number = ARGV[2 * i + 3], last + i
  local name = type .. ':' .. stored[2 * i - 1]
  local handed = receivers > 0 and hand_over(state, name, stored[2 * i])
  if handed and handed ~= true and not called then
    for j = 1, n do redis.call('HDEL', KEYS[1], stored[2 * j - 1]) end
    return handed
  end
  called = called or handed == true
  state[LAST] = number
  if handed == true then
    if state[COUNT] == 0 then
      state[FIRST], state[BORDER] = number + 1, 0
    elseif state[BORDER] == 0 then
      state[BORDER] = number
    end
  else
    if state[COUNT] == 0 then state[FIRST], state[BORDER] = number, 0 end
    state[BYTES], state[COUNT] = state[BYTES] + #stored[2 * i] - PLAIN, state[COUNT] + 1
    if state[BORDER] == 0 and state[FIRST] == number then
      state[KIND] = type
    elseif state[BORDER] > 0 or state[KIND] ~= type then
      if state[BORDER] == 0 then state[BORDER] = number end
      names[#names + 1] = name
    end
  end
end
local full = n < (#ARGV - 4) / 2
state[SORTED], state[SENDER] = sorted + #names, n > 0 and tonumber(ARGV[2]) or sender
if not full and senders > 0 then
  -- HERE: queue_call
  called = call_sender(state) or called
elseif full and ARGV[4] ~= '-' then
  -- HERE: queue_stand
  stand(state, 'full', SENDERS, ARGV[3], ('%019d'):format(#ARGV[6 + 2 * n] - PLAIN), ARGV[4])
end
if n > 0 or next(changed) or state[BYTES] < bytes then save(state) end
for _, name in ipairs(names) do
  redis.call('ZADD', base .. 'order', string.sub(name, 21), name)
  redis.call('ZADD', base .. 'types', 0, name)
end
return {full and 11 or 0, n, capacity - state[BYTES], called and 1 or 0}
