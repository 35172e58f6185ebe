-- KEYS: values
-- For operations that wait: id, name, a version -> version:value, with version 0 if it is not there; or EAGAIN: it is
-- that version
-- HERE: data_state
local value = old or '0:'
return value:match('^%d+') == ARGV[3] and {11} or {0, value}
