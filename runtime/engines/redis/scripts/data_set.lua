-- KEYS: values names
-- Sets a name: id, name, the version it must have (-1: any, 0: none), value -> its version
-- HERE: data_state
-- HERE: data_change
if ARGV[3] ~= '-1' and ARGV[3] ~= version then return {116} end
return change(ARGV[4])
