-- KEYS: values names due
-- Changes names together: id, then of each the name, the version it must have (-1: any, 0: none), "check", "set" or
-- "delete", value and ttl (see put) -> the version of those that are set
-- HERE: data_state
-- HERE: data_change
local edits = {}
for i = 2, #ARGV, 5 do
  local record = call('HGET', KEYS[1], ARGV[i])
  if ARGV[i + 1] ~= '-1' and ARGV[i + 1] ~= version_of(live(record)) then return {116} end
  local edit = ARGV[i + 2]
  if edit == 'set' or edit == 'delete' and record then
    edits[#edits + 1] = {ARGV[i], record, edit == 'set' and ARGV[i + 3], ARGV[i + 4]}
  end
end
return #edits > 0 and change(edits) or {0, '0'}
