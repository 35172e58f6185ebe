-- SPDX-License-Identifier: MIT
-- In a locale with a decimal comma, or one of several bytes, no JSON message with a fraction could be read, and it was
-- gone; what was written was no JSON in some of them; and a URL with 1.5 in it was refused. Numbers know no locale.

local host = os.getenv("IPCLUA") or "build/ipclua"

local program = [[
  local ipc = require "ipc"
  local name = ...
  local function receives(q, what)
    local got, why = q:receive(nil, 0)
    if type(got) ~= "table" then return print(what, why) end
    for i, n in ipairs{0.5, 1e300, 1 / 3, 123456789.125, -2.5e-7, 1700000000.123456} do
      if got[i] ~= n then print(what, n, got[i]) end
    end
  end
  local key = ipc.shm_key("spec.105." .. ipc.pid())
  local q <close> = assert(ipc.queue(key))
  local raw <close> = assert(ipc.queue(key, {codec = "raw"}))
  local d <close> = assert(ipc.shared_data(ipc.private))
  local numbers = {0.5, 1e300, 1 / 3, 123456789.125, -2.5e-7, 1700000000.123456}
  q:send(1, numbers)
  q:send(1, numbers)
  raw:send(1, "[0,5]")
  local text = raw:receive()
  raw:send(1, text)
  assert(os.setlocale(name), name)
  if ("%.1f"):format(1.5) == "1.5" then print("no decimal comma in " .. name) end
  receives(q, "sent before")
  raw:receive()
  q:send(1, numbers)
  local now = raw:receive()
  if now ~= text then print("written", now, text) end
  raw:send(1, now)
  receives(q, "sent now")
  d:set("n", 2.5)
  print(d:get("n") == 2.5, d:add("n", 0.25) == 2.75, d:get("n") == 2.75)
  local redis = ipc.redis_key("redis://localhost/x")
  print(not redis or (pcall(ipc.redis_key, "redis://localhost/x?timeout=1.5&lease=2.5")))
  print(redis ~= nil and (pcall(ipc.redis_key, "redis://localhost/x?timeout=1,5")))
  local timer = ipc.timer(1.5)
  print((tostring(timer):match("every (.*) s")))
  print((select(2, pcall(q.send, q, 1, {[1.5] = print})):match("message(%[.*%])")))
  q:remove()
]]

-- A folder with the locale "other" of this decimal point, and what removes it; or nil, what is missing.
local function make_locale(point)
  local folder = os.tmpname()
  assert(os.execute(("rm %s; mkdir %s"):format(folder, folder)))
  local source <close> = assert(io.open(folder .. "/source", "w"))
  for category in ("CTYPE COLLATE MONETARY MESSAGES TIME"):gmatch "%u+" do
    source:write(("LC_%s\ncopy \"POSIX\"\nEND LC_%s\n"):format(category, category))
  end
  source:write(('LC_NUMERIC\ndecimal_point "%s"\nthousands_sep ""\ngrouping -1\nEND LC_NUMERIC\n'):format(point))
  source:flush()
  os.execute(("localedef -c -i %s/source -f UTF-8 %s/other >/dev/null 2>&1"):format(folder, folder))
  local made = io.open(folder .. "/other/LC_NUMERIC")
  if made then made:close() end
  return made and folder, function() os.execute("rm -r " .. folder) end
end

describe("numbers are written and read with a point", function()
  for what, point in pairs{["a comma"] = "<U002C>", ["a sign of two bytes"] = "<U066B>"} do
    it("in a locale with " .. what, function()
      local folder, clean = make_locale(point)
      finally(clean)
      if not folder then return pending("localedef cannot make a locale") end
      local script = folder .. "/script.lua"
      local file <close> = assert(io.open(script, "w"))
      file:write(program)
      file:flush()
      local pipe = assert(io.popen(("LOCPATH=%s exec %s %s other 2>&1"):format(folder, host, script)))
      local text = pipe:read("a")
      assert.is_true(pipe:close(), text)
      assert.equal("true\ttrue\ttrue\ntrue\nfalse\n1.5\n[1.5]\n", text)
    end)
  end
end)
