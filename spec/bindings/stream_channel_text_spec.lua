-- SPDX-License-Identifier: MIT
-- Lines are for programs in any language: jq, Python and the shell as the other end of a channel, over pipes and over
-- sockets, started by us or the ones that start us.

local ipc = require "ipc"
local channels = require "spec.support.channels"

local PATIENCE <const> = channels.PATIENCE
local host = os.getenv("IPCLUA") or "build/ipclua"
local keep, pair = channels.keep, channels.pair

local function start(program) return keep(assert(ipc.process(program))) end

local values = {
  {n = 1, text = "one", list = {1, 2, {3}}, none = ipc.null, yes = true},
  {n = -2, text = "quotes \" and \\, a\nnewline, \u{e9}\u{20ac}\u{1f600}", list = {}},
  {n = 1 << 50, text = ("long "):rep(30000), list = {0.1, 1e300, -0.5}},
}

local python = [[
import json, sys
for line in sys.stdin:
    value = json.loads(line)
    value["seen"] = value.get("n") if isinstance(value, dict) else None
    print(json.dumps(value), flush=True)
]]

local shell = [[while IFS= read -r line; do printf '%s, says the shell\n' "$line"; done; echo the end]]

local has_jq = os.execute("command -v jq >/dev/null")

describe("a channel of lines", function()
  after_each(channels.close)

  -- What each of two channels, or one, brings back for each of the values.
  local function echoes(into, from)
    for _, value in ipairs(values) do
      assert.is_true(into:send(value))
      local got = assert(from:receive(PATIENCE))
      assert.equal(value.n, got.seen)
      got.seen = nil
      if #value.list == 0 then value, got = {n = value.n, text = value.text}, {n = got.n, text = got.text} end
      assert.same(value, got)
    end
  end

  it("speaks with jq over pipes", function()
    if not has_jq then return pending("jq is not installed") end
    local jq = start {"jq", "-c", "--unbuffered", ". + {seen: .n}", stdin = "pipe", stdout = "pipe", codec = "json"}
    echoes(jq.stdin, jq.stdout)
    jq.stdin:close()
    assert.same({nil, "closed"}, {jq.stdout:receive(PATIENCE)})
    assert.same({true, "exit", 0}, {jq:wait(PATIENCE)})
  end)

  it("has jq as a filter of many messages, which go in while they come out", function()
    if not has_jq then return pending("jq is not installed") end
    local jq = start {"jq", "-c", "select(.n % 3 == 0) | .n", stdin = "pipe", stdout = "pipe", codec = "json"}
    ipc.task(function()
      for n = 1, 20000 do jq.stdin:send {n = n, text = "some text to fill the pipe with"} end
      jq.stdin:close()
    end)
    local count = 0
    for n in jq.stdout:messages() do
      count = count + 1
      assert.equal(3 * count, n)
    end
    assert.equal(6666, count)
  end)

  it("hears of it when jq is given what is no JSON", function()
    if not has_jq then return pending("jq is not installed") end
    local jq = start {"jq", "-c", ".n", stdin = "pipe", stdout = "pipe", stderr = "pipe"}
    jq.stdin:send('{"n":1}')
    assert(jq.stdin:send("{n"))
    jq.stdin:close()
    assert.equal("1", jq.stdout:receive(PATIENCE))
    assert.matches("parse error", jq.stderr:receive(PATIENCE))
    assert.same({nil, "closed"}, {jq.stdout:receive(PATIENCE)})
  end)

  it("speaks with Python over pipes", function()
    local child = start {"/usr/bin/python3", "-c", python, stdin = "pipe", stdout = "pipe", codec = "json"}
    echoes(child.stdin, child.stdout)
    child.stdin:close()
    assert.same({true, "exit", 0}, {child:wait(PATIENCE)})
  end)

  it("speaks with Python over a socket", function()
    local ours, theirs = pair {framing = "line"}
    local child = start {"/usr/bin/python3", "-c", python, stdin = theirs, stdout = theirs}
    theirs:close()
    echoes(ours, ours)
    ours:shutdown()
    assert.same({nil, "closed"}, {ours:receive(PATIENCE)})
    assert.same({true, "exit", 0}, {child:wait(PATIENCE)})
  end)

  it("is the client of a hub that Python joins by its path", function()
    local path = os.tmpname()
    os.remove(path)
    local hub = keep(ipc.multi_stream_channel {framing = "line"})
    assert(hub:listen(path))
    local child = start {"/usr/bin/python3", "-c", [[
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
file = s.makefile("rw")
print(json.dumps({"from": "python"}), file=file, flush=True)
print(json.loads(file.readline())["to"])
]], path, stdout = "pipe"}
    assert.same({{from = "python"}, 1}, {hub:receive(PATIENCE)})
    assert.is_true(hub:send({to = "you"}, 1))
    assert.equal("you", child.stdout:receive(PATIENCE))
    assert.same({true, "exit", 0}, {child:wait(PATIENCE)})
  end)

  for _, ends in ipairs {"pipes", "a socket"} do
    it("speaks with a loop of the shell over " .. ends, function()
      local into, from, child
      if ends == "pipes" then
        child = start {"sh", "-c", shell, stdin = "pipe", stdout = "pipe"}
        into, from = child.stdin, child.stdout
      else
        local ours, theirs = pair {framing = "line", codec = "raw"}
        child = start {"sh", "-c", shell, stdin = theirs, stdout = theirs}
        theirs:close()
        into, from = ours, ours
      end
      for _, text in ipairs {"hello", "", "  two  spaces  ", "a\\n\\\\b", "$HOME `id` 'x' \"y\"", ("x"):rep(9999)} do
        assert.is_true(into:send(text))
        assert.equal(text .. ", says the shell", from:receive(PATIENCE))
      end
      into:shutdown()
      assert.equal("the end", from:receive(PATIENCE))
      assert.same({nil, "closed"}, {from:receive(PATIENCE)})
      assert.same({true, "exit", 0}, {child:wait(PATIENCE)})
    end)
  end

  it("is what a program in the middle of a shell's pipeline has", function()
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write [[
      local ipc = require "ipc"
      local input = ipc.stream_channel(io.stdin, {framing = "line"})
      local output = ipc.stream_channel(io.stdout, {framing = "line"})
      for value in input:messages() do output:send {square = value.n * value.n} end
      output:send "done"
    ]]
    file:close()
    local pipe = assert(io.popen(([[
      for n in 1 2 3; do echo "{\"n\": $n}"; done | %s %s | while read -r line; do echo "got $line"; done
      printf '{"n":4}' | %s %s]]):format(host, script, host, script)))
    local result = pipe:read("a")
    assert.is_true(pipe:close())
    os.remove(script)
    assert.equal('got {"square":1}\ngot {"square":4}\ngot {"square":9}\ngot "done"\n{"square":16}\n"done"\n', result)
  end)
end)
