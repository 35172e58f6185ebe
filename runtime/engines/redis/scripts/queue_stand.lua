-- PART of the scripts in which processes come to wait.
-- Stands in a line from now on; at its place, if it has one there, or had one. key: process and delivery.
local function stand(state, field, counter, key, bound, place)
  local line = line_of(field)
  local found = string.find(line, key, 1, true)
  if found then
    set_line(field, string.sub(line, 1, found + 23) .. bound .. string.sub(line, found + 43))
    return
  end
  local at = #line + 1
  if place == '' then
    state[ARRIVALS] = state[ARRIVALS] + 1
    place = ('%014d'):format(state[ARRIVALS])
  else
    while at > 1 and string.sub(line, at - WIDTH, at - WIDTH + 13) > place do at = at - WIDTH end
  end
  state[counter] = state[counter] + 1
  set_line(field, string.sub(line, 1, at - 1) .. place .. key .. bound .. string.sub(line, at))
end
