-- KEYS: values names
-- id ->
-- HERE: data_state
call('PUBLISH', channel, ARGV[1] .. ':')
call('UNLINK', KEYS[1], KEYS[2])
return {0}
