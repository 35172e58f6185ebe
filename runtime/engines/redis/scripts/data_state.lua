-- PART of the scripts of shared data.
--   values  name -> "version:value", or "version@due:value"; the field whose name is empty: "id size used version",
--           what there is of it
--   names   all of them, in order
--   due     those that are gone at a time, by it: microseconds of the server's clock
-- ARGV: id, name or ''. Versions are microseconds of the server's clock, and always more than the last: so none comes
-- twice, even if the server went back to an older state of its data. Word of a change comes first: where a user may not
-- publish, nothing is changed then; and a process that hears of it queries when the script has ended.
local call, channel = redis.call, KEYS[1]:sub(1, -7) .. 'changed'
local found = call('HMGET', KEYS[1], '', ARGV[2] or '')
local head, stored = found[1], found[2]
if not head or head:sub(1, 24) ~= ARGV[1] then
  redis.pcall('PUBLISH', channel, ARGV[1] .. ':') -- evicted, perhaps
  return {43}
end
local time
local function now()
  if not time then
    time = call('TIME')
    time = time[1] * 1000000 + time[2]
  end
  return time
end
-- Microseconds until a record is gone; nothing: it is not to go.
local function left(record)
  local due = record:match('^%d+@(%d+)')
  return due and due - now()
end
-- The record, if there is one and it is not gone.
local function live(record)
  return record and (left(record) or 1) > 0 and record
end
local old = live(stored)
