-- PART of the scripts after which there is room.
-- The first that waits for room is told, if there is enough for it: no process overtakes. True: one is.
local function call_sender(state)
  while state[SENDERS] > 0 do
    local line = line_of('full')
    local wanted = tonumber(string.sub(line, 39, WIDTH)) or 0
    drop_dead(state, nil, wanted)
    local room = state[CAPACITY] - state[BYTES]
    if line == '' or room < wanted or state[COUNT] >= state[CAPACITY] then return end
    cut(state, 'full', 1, SENDERS)
    local text = ('room %.0f %s %s'):format(room, string.sub(line, 1, 14), string.sub(line, 15, 38))
    local heard = redis.pcall('PUBLISH', base .. string.sub(line, 15, 30), text)
    if type(heard) == 'number' and heard > 0 then return true end
  end
end
