-- PART of the scripts that look for messages.
-- The server has evicted what is sorted, or a part of it.
local function is_torn(state)
  return state[SORTED] > 0 and (redis.call('ZCARD', base .. 'order') ~= state[SORTED] or
    redis.call('ZCARD', base .. 'types') ~= state[SORTED])
end

-- The name of the next message that is wanted, and whether it is of the run. wanted: '0', any; a type; '-' and a type:
-- of the lowest type up to that. Nothing, if there is none.
local function next_message(state, wanted)
  local name, other
  local last = state[BORDER] > 0 and state[BORDER] - 1 or state[LAST]
  local bound = string.sub(wanted, 1, 1) == '-' and string.sub(wanted, 2)
  if state[FIRST] <= last and (wanted == '0' or state[KIND] == wanted or (bound and state[KIND] <= bound)) then
    name = ('%s:%016d'):format(state[KIND], state[FIRST])
  end
  if state[SORTED] > 0 then
    if wanted == '0' then
      other = redis.call('ZRANGE', base .. 'order', 0, 0)[1]
    else
      local lowest = bound and '-' or '[' .. wanted .. ':'
      other = redis.call('ZRANGEBYLEX', base .. 'types', lowest, '(' .. (bound or wanted) .. ';', 'LIMIT', 0, 1)[1]
    end
    local from = bound and 1 or 21
    if other and (not name or string.sub(other, from) < string.sub(name, from)) then return other, false end
  end
  return name, true
end
