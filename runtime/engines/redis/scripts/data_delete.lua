-- KEYS: values names due
-- Takes a name away: id, name, the version it must have (-1: any, 0: none) -> a version that it has had from then on
-- HERE: data_state
-- HERE: data_change
if ARGV[3] ~= '-1' and ARGV[3] ~= version_of(old) then return {116} end
return old and change{{ARGV[2], stored, false}} or {2}
