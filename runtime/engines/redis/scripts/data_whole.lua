-- PART of the scripts that go through all names: the server may have evicted one of the keys.
if call('ZCARD', KEYS[2]) ~= call('HLEN', KEYS[1]) - 1 then
  call('DEL', unpack(KEYS))
  redis.pcall('PUBLISH', channel, ARGV[1] .. ':')
  return {43}
end
