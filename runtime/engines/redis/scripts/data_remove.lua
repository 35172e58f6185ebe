-- KEYS: values names due
-- id ->
-- HERE: data_state
call('PUBLISH', channel, ARGV[1] .. ':')
call('UNLINK', unpack(KEYS))
return {0}
