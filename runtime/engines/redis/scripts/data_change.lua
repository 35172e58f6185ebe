-- PART of the scripts that change shared data.
local size, used, last = head:match(' (%d+) (%-?%d+) (%d+)')
size, used = tonumber(size), tonumber(used)

local function save()
  call('HSET', KEYS[1], '', ('%s %.0f %.0f %s'):format(ARGV[1], size, used, last))
end

local function version_of(record)
  return record and record:match('^%d+') or '0'
end

local function erase(name, record)
  used = used - #name - #record + #record:match('^[%d@]+:')
  call('HDEL', KEYS[1], name)
  call('ZREM', KEYS[2], name)
  if record:find('^%d+@') then call('ZREM', KEYS[3], name) end
end

-- Names that are gone give their room when it is wanted.
local function fits(more)
  while more > 0 and used + more > size do
    local over = call('ZRANGEBYSCORE', KEYS[3], '-inf', ('%.0f'):format(now()), 'LIMIT', 0, 100)
    if #over == 0 then return false end
    for _, name in ipairs(over) do
      local record = call('HGET', KEYS[1], name)
      if record then erase(name, record) else call('ZREM', KEYS[3], name) end
    end
  end
  return true
end

-- ttl: microseconds, 0: for ever, -1: as long as before
local function put(name, record, value, ttl)
  local due = ''
  if ttl == '-1' then due = record and record:match('^%d+(@%d+)') or ''
  elseif ttl ~= '0' then due = ('@%.0f'):format(now() + ttl) end
  used = used + #value - (record and #record - #record:match('^[%d@]+:') or -#name)
  call('HSET', KEYS[1], name, last .. due .. ':' .. value)
  if not record then call('ZADD', KEYS[2], 0, name) end
  if due ~= '' then call('ZADD', KEYS[3], due:sub(2), name)
  elseif record and record:find('^%d+@') then call('ZREM', KEYS[3], name) end
end

-- Changes names together, of each: name, what is stored, value (false: taken away), ttl. Returns the reply: ENOSPC, or
-- 0 and the version.
local function change(edits)
  local more = 0
  for i = 1, #edits > 64 and 1 or #edits do
    call('PUBLISH', channel, ARGV[1] .. (#edits > 64 and '*' or ':' .. edits[i][1]))
  end
  for _, e in ipairs(edits) do
    local name, record, value = e[1], e[2], e[3]
    if record and not live(record) then
      erase(name, record)
      record, e[2] = false, false
    end
    if value then more = more + #value + #name end
    if record then more = more - #name - #record + #record:match('^[%d@]+:') end
  end
  local fit = fits(more)
  if fit then
    last = ('%.0f'):format(math.max(now(), last + 1))
    for _, e in ipairs(edits) do
      if e[3] then put(e[1], e[2], e[3], e[4]) elseif e[2] then erase(e[1], e[2]) end
    end
  end
  save()
  return fit and {0, last} or {28}
end
