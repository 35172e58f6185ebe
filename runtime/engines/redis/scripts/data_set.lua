-- KEYS: values names due
-- Sets a name: id, name, the version it must have (-1: any, 0: none), value, ttl (see put) -> its version
-- HERE: data_state
-- HERE: data_change
if ARGV[3] ~= '-1' and ARGV[3] ~= version_of(old) then return {116} end
return change{{ARGV[2], stored, ARGV[4], ARGV[5]}}
