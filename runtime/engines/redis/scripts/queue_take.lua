-- KEYS: meta
-- Messages become jobs of a process; otherwise as queue_receive.lua. ARGV: id, process id, delivery, number, what is
-- wanted; "number:count": the last request that was given jobs, and how many of them have arrived; the server's time
-- as the process knows it, in ms, or 0: its lease is to be kept; how many at most; and in one text, 1 if it stands in
-- line when there is nothing, or 0, the lease in ms, and limits (queue_due.lua). The delivery keeps
-- "number:epoch:entries", an entry is "number:token". Replies the server's time, negative if the process had no lease,
-- or 0, and entries and their values (queue_hand.lua), and then 1 if a process was called to send; or 11, 0, and as
-- queue_receive.lua. To have an entry in a delivery is to have a lease.
-- HERE: queue_state
local found = redis.call('HMGET', KEYS[1], 'state', ARGV[3])
if not found[1] then return {43} end
local id, kind, capacity, bytes, count, last, first, border, sorted, arrivals, receivers, senders, sender, receiver,
  epoch, due, token = struct.unpack(FORMAT, found[1])
if id ~= ARGV[1] then return {43} end
local mark = found[2]
local before = mark and string.sub(mark, 1, 16)

local given = mark and (#mark - 26) / ENTRY
local behind = border > 0 and border or last + 1
-- What the delivery had has arrived, the lease is kept, and nothing is due.
local settled = given and before < ARGV[4] and (given == 0 or ARGV[6] == before .. ':' .. given) and ARGV[7] ~= '0' and
  ARGV[7] + 0 < due

-- Messages of the run, in a delivery that had some; and no process waits for room.
if settled and given > 0 and sorted == 0 and senders == 0 and first < behind and
  (kind == ARGV[5] or ARGV[5] == '0') then
  local taken, prefix = string.sub(KEYS[1], 1, -5) .. 'taken', ARGV[3] .. kind .. '\1\0\0\0\0'
  if ARGV[8] == '1' then
    local entry = ('%016d:%016d'):format(first, token + 1)
    local number = string.sub(entry, 1, 16)
    local message = redis.call('HGET', KEYS[1], number)
    local value = prefix .. message
    redis.call('HDEL', KEYS[1], number)
    redis.call('HSET', KEYS[1], 'state', struct.pack(FORMAT, id, kind, capacity, bytes - #message + PLAIN, count - 1,
      last, first + 1, border, 0, arrivals, receivers, 0, sender, ARGV[2], epoch, due, token + 1), ARGV[3],
      ARGV[4] .. epoch .. entry)
    redis.call('HSET', taken, entry, value)
    return {0, 0, entry, value}
  end
  local n, numbers, entries, reply = math.min(tonumber(ARGV[8]), behind - first), {}, {}, {}
  for i = 1, n do
    entries[i] = ('%016d:%016d'):format(first + i - 1, token + i)
    numbers[i] = string.sub(entries[i], 1, 16)
  end
  if n > 0 then
    for i, message in ipairs(redis.call('HMGET', KEYS[1], unpack(numbers))) do
      bytes = bytes - #message + PLAIN
      reply[2 * i - 1], reply[2 * i] = entries[i], prefix .. message
    end
    redis.call('HDEL', KEYS[1], unpack(numbers))
    redis.call('HSET', KEYS[1], 'state', struct.pack(FORMAT, id, kind, capacity, bytes, count - n, last, first + n,
      border, 0, arrivals, receivers, 0, sender, ARGV[2], epoch, due, token + n), ARGV[3],
      ARGV[4] .. epoch .. table.concat(entries))
    redis.call('HSET', taken, unpack(reply))
    return {0, 0, unpack(reply)}
  end
end

-- One that was handed over, and is taken for the first time.
if given == 1 and before == ARGV[4] and ARGV[7] ~= '0' and ARGV[7] + 0 < due then
  local entry, lease = string.sub(mark, 27), 'l' .. string.sub(ARGV[3], 2, 17)
  local value = redis.call('HGET', string.sub(KEYS[1], 1, -5) .. 'taken', entry)
  if value and string.sub(value, 45, 46) == '\1\0' and redis.call('HEXISTS', KEYS[1], lease) == 1 then
    redis.call('HDEL', KEYS[1], 'h' .. ARGV[3])
    return {0, 0, entry, value}
  end
end

local first_digit, key, process = string.sub(ARGV[5], 1, 1), string.sub(ARGV[3], 2), string.sub(ARGV[3], 2, 17)
local field = ARGV[5] == '0' and 'w' or first_digit == '-' and 'w-' or 'w' .. ARGV[5]
local bound = first_digit == '-' and string.sub(ARGV[5], 2) or ('0'):rep(19)

-- Nothing is there, and the delivery comes to stand in line.
if settled and count == 0 and ARGV[8] ~= '0' and string.byte(ARGV[9]) == 49 then
  local line = redis.call('HGET', KEYS[1], field) or ''
  if not string.find(line, key, 1, true) then
    redis.call('HDEL', KEYS[1], '')
    redis.call('HSET', KEYS[1], field, ('%s%014d%s%s'):format(line, arrivals + 1, key, bound), 'state',
      struct.pack(FORMAT, id, kind, capacity, bytes, 0, last, first, border, 0, arrivals + 1, receivers + 1, senders,
      sender, receiver, epoch, due, token), ARGV[3], ARGV[4] .. epoch)
    return {11, 0, due - ARGV[7], receivers + 1}
  end
end

-- HERE: queue_line
-- HERE: queue_next
-- HERE: queue_hand
-- HERE: queue_job
-- HERE: queue_back
-- HERE: queue_due
-- HERE: queue_call
local state = {id, kind, capacity, bytes, count, last, first, border, sorted, arrivals, receivers, senders, sender,
  receiver, epoch, due, token}
local max, reply, entries, none = tonumber(ARGV[8]), {0, 0}, {}, false
local stands, lease, limits = string.match(ARGV[9], '^(%d) (%d+) (.*)')
local attempts, keep = string.match(limits, '^(%d+) %d+ (%d+)')

-- One that was taken too often dies; one that is not there any more was put back when its holder was thought dead.
local function accept(entry)
  local value = redis.call('HGET', base .. 'taken', entry)
  local attempt, _, size = struct.unpack('<HHB', value or '\0\0\0\0\0', value and 45 or 1)
  if value and attempt > limit_of(string.sub(value, 50 + size), tonumber(attempts)) then
    local job = end_taken(entry)
    job.attempt = attempt - 1
    die(state, job, tonumber(keep))
  elseif value then
    entries[#entries + 1], reply[#reply + 1], reply[#reply + 2] = entry, entry, value
  end
end

if before and before > ARGV[4] then return {116} end
redis.call('HDEL', KEYS[1], 'h' .. ARGV[3])
look(state, limits)
mark = redis.call('HGET', KEYS[1], ARGV[3]) -- it has nothing any more if the lease had ended
if before == ARGV[4] then
  for i = NAMES, #mark, ENTRY do accept(string.sub(mark, i, i + ENTRY - 1)) end
elseif mark then
  local answered, arrived = string.match(ARGV[6], '^(%d+):(%d+)')
  give_back(state, ARGV[3], mark, NAMES + (answered == before and arrived * ENTRY or 0))
else
  redis.call('HSET', KEYS[1], 'deliveries', (redis.call('HGET', KEYS[1], 'deliveries') or '') .. ARGV[3] .. ' ')
end
local at = max == 0 and receivers > 0 and string.find(line_of(field), key, 1, true)
if at then cut(state, field, at - 14, RECEIVERS) end
while not entries[1] and max > 0 do
  for _ = 1, max do
    local name, of_run = next_message(state, ARGV[5])
    if not name then
      max, none = 0, true
      break
    end
    local number = string.sub(name, 21)
    local message = redis.call('HGET', KEYS[1], number)
    if of_run then
      state[FIRST] = state[FIRST] + 1
    else
      state[SORTED] = state[SORTED] - 1
      redis.call('ZREM', base .. 'order', name)
      redis.call('ZREM', base .. 'types', name)
    end
    state[COUNT] = state[COUNT] - 1
    if message then
      state[BYTES], state[RECEIVER] = state[BYTES] - size_of(message), tonumber(ARGV[2])
      accept(take_job(state, ARGV[3], name, message))
    end
  end
end
if none and not entries[1] and is_torn(state) then
  -- HERE: queue_end
  return remove_queue()
end
redis.call('HSET', KEYS[1], ARGV[3], ARGV[4] .. epoch .. table.concat(entries))
if entries[1] then
  reply[2] = keep_lease(state, process, tonumber(lease)) and time() or -time()
elseif stands == '1' then
  -- HERE: queue_stand
  stand(state, field, RECEIVERS, key, bound, '')
end
if before == ARGV[4] and not entries[1] then sweep_again(state) end
if senders > 0 and call_sender(state) and entries[1] then reply[#reply + 1] = 1 end
save(state)
return entries[1] and reply or {11, 0, until_next(state), state[RECEIVERS]}
