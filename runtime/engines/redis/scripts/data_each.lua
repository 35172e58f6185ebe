-- KEYS: values names due
-- All names that begin with a prefix, as they are now: id, prefix, how many bytes at most
-- -> of each the sizes of name and "version:value", four bytes each with the lowest first, and both; or EFBIG
-- HERE: data_state
-- HERE: data_whole
local names = call('ZRANGEBYLEX', KEYS[2], '[' .. ARGV[2], '[' .. ARGV[2] .. ('\255'):rep(512))
local parts, room = {}, tonumber(ARGV[3])
for first = 1, #names, 16 do
  for i, record in ipairs(call('HMGET', KEYS[1], unpack(names, first, math.min(first + 15, #names)))) do
    if live(record) then
      local name = names[first + i - 1]
      room = room - #name - #record
      if room < 0 then return {27} end
      parts[#parts + 1] = struct.pack('<I4I4', #name, #record) .. name .. record
    end
  end
end
return {0, table.concat(parts)}
