-- SPDX-License-Identifier: MIT
-- A chat: a hub at a path, and everybody who joins it, each in a process of their own. What a user types goes to all;
-- /who asks who is there; Ctrl-D leaves. See doc/multi_stream_channel.md.
--
--     ipclua chat.lua serve SOCKET           until it is interrupted
--     ipclua chat.lua join SOCKET NAME       in as many terminals as you like
--
-- Without arguments it starts a server and two users, types for them, and shows their screens.

local ipc = require "ipc"

-- The server ----------------------------------------------------------------------------------------

local Chat = {}
Chat.__index = Chat

function Chat:tell(text, client)
  self.hub:send({text = text}, client)
end

function Chat:list()
  local list = {}
  for _, client in ipairs(self.hub:clients()) do list[#list + 1] = self.names[client] end
  return table.concat(list, ", ")
end

function Chat:leave(client)
  local name = self.names[client]
  self.names[client] = nil
  self.hub:disconnect(client)
  if name then self:tell(name .. " has gone") end
end

-- What comes from a client may be anything.
function Chat:hear(message, client)
  local name = self.names[client]
  if type(message) ~= "table" then
    self:leave(client)
  elseif type(message.name) == "string" and not name then
    self.names[client] = message.name:sub(1, 20)
    self:tell(self.names[client] .. " has come")
  elseif message.bye then
    self:leave(client)
  elseif message.say == "/who" then
    self:tell("here: " .. self:list(), client)
  elseif name and type(message.say) == "string" then
    self:tell(name .. ": " .. message.say)
  end
end

-- One that was killed, or that did not read and was sent away, has said no goodbye.
function Chat:look_around()
  local here = {}
  for _, client in ipairs(self.hub:clients()) do here[client] = true end
  for client in pairs(self.names) do
    if not here[client] then self:leave(client) end
  end
end

-- The first value; or the end of the program, with the reason: another path may do.
local function must(value, why)
  if value then return value end
  io.stderr:write("chat.lua: ", why, "\n")
  os.exit(1)
end

local function serve(path)
  local trap <close> = ipc.signal_trap("INT", "TERM") -- until the hub has closed, and its path is gone
  local hub <close> = ipc.multi_stream_channel {backpressure = "disconnect"}
  must(hub:listen(path))
  print("listening at " .. path)
  local clock <close> = ipc.timer(0.5)
  local chat = setmetatable({hub = hub, names = {}}, Chat)
  while true do
    local which, message, client, _, sender = ipc.select {said = hub, clock = clock, stop = trap}
    if which == "stop" then return end
    if which == "clock" then chat:look_around() else chat:hear(message, sender or client) end
  end
end

-- A user ----------------------------------------------------------------------------------------------

local function join(path, name)
  local channel <close> = must(ipc.connect(path))
  local keyboard <close> = assert(ipc.stream_channel(io.stdin, {framing = "line", codec = "raw"}))
  channel:send {name = name}
  local cases = {heard = channel, typed = keyboard}
  while true do
    local which, message = ipc.select(cases)
    if which == "typed" then
      channel:send(message and {say = message} or {bye = true})
      if not message then cases.typed = nil end
    elseif message then
      print(message.text)
    else
      return print("the chat is over")
    end
  end
end

-- The show --------------------------------------------------------------------------------------------

local function show()
  local path = os.tmpname()
  os.remove(path)
  local function start(what, name)
    return assert(ipc.process {arg[-1], arg[0], what, path, name, stdin = "pipe", stdout = "pipe"})
  end
  local function screens(...)
    for i = 1, select("#", ...), 2 do
      local who, user = select(i, ...)
      print(who .. "'s screen:", (user.stdout:receive()))
    end
  end
  local server <close> = start("serve")
  server.stdout:receive() -- it listens
  local ann <close> = start("join", "ann")
  screens("ann", ann)
  local bob <close> = start("join", "bob")
  screens("ann", ann, "bob", bob)
  ann.stdin:send("hello, bob")
  screens("ann", ann, "bob", bob)
  bob.stdin:send("/who")
  screens("bob", bob)
  bob:signal("KILL")
  screens("ann", ann)
  ann.stdin:close()
  screens("ann", ann)
end

io.stdout:setvbuf("line")
if arg[1] == "serve" and #arg == 2 then
  serve(arg[2])
elseif arg[1] == "join" and #arg == 3 then
  join(arg[2], arg[3])
elseif not arg[1] then
  show()
else
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua chat.lua [serve SOCKET | join SOCKET NAME]\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end
