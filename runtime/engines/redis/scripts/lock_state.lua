-- PART of the scripts of locks.
--   meta  id, max, tells (a mutex: of deaths), abandoned (one is to be told), fence, arrivals; run (of the server),
--         since (when it was noticed)
--   held  token -> when its lease ends, or later; or until when its process has to say that it knows. In ms
--   line  token -> number of arrival
--   tokens  token in one of these -> fence, abandoned, told (its process knows)
-- A token is "handle:number", a handle "process.number". "base:handle" is the lease of a handle, for all that it holds
-- and waits for: its pid, the lease in ms, hears (its process listens). It ends by itself unless its process keeps it.
-- What is told is published on "base:process".
local meta, held, line, tokens = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local call, base = redis.call, KEYS[1]:sub(1, -5)

local function remove_lock()
  local told = {}
  for _, token in ipairs(call("HKEYS", tokens)) do
    local handle = token:match("^(.*):") or token
    local process = handle:match("^[^.]*")
    call("DEL", base .. handle)
    if not told[process] then redis.pcall("PUBLISH", base .. process, "removed " .. ARGV[1]) end
    told[process] = true
  end
  call("DEL", meta, held, line, tokens)
end
