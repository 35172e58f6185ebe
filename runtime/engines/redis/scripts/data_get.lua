-- KEYS: values
-- One that is to go: id, name -> version:value, if it is there
-- HERE: data_state
return old and {0, old} or {2}
