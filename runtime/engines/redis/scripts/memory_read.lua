-- KEYS: slots
-- id, slot, how many -> their bytes; fewer where nothing was written yet
-- HERE: memory_state
return {0, call('GETRANGE', KEYS[1], at, at + 8 * ARGV[3] - 1)}
