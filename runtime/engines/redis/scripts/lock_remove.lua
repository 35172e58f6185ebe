-- KEYS: meta held line tokens
-- Removes a lock, and tells all processes that wait for it. ARGV: id.
-- HERE: lock_state
if call("HGET", meta, "id") ~= ARGV[1] then return {43} end
remove_lock()
return {0}
