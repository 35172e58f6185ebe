-- KEYS: values
-- For operations that wait: id, name, a version -> version:value, with version 0 if it is not there; or EAGAIN: it is
-- that version. Then the microseconds until it is gone, 0: it is not to go.
-- HERE: data_state
local rest = old and left(old)
rest = rest and ('%.0f'):format(rest) or 0
if (old and old:match('^%d+') or '0') == ARGV[3] then return {11, '', rest} end
return {0, old or '0:', rest}
