-- KEYS: values
-- id -> names, bytes used
-- HERE: data_state
return {0, call('HLEN', KEYS[1]) - 1, head:match(' %d+ (%-?%d+)')}
