-- KEYS: slots
-- id ->
-- HERE: memory_state
call('PUBLISH', channel, ARGV[1] .. ':')
call('UNLINK', KEYS[1])
return {0}
