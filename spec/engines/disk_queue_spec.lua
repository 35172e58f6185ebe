-- SPDX-License-Identifier: MIT
-- Queues on a disk: what a power cut, a death and a restart leave of their messages. At every write and sync of a
-- program (spec/support/power_cut.lua): what it had said is so, and of what it was about to say all or nothing.

local ipc = require "ipc"
local disk = require("spec.support.engines").disk
local peer = require "spec.support.peer"
local power_cut = require "spec.support.power_cut"
local rounds = require "spec.support.rounds"
local shell = require "spec.support.shell"

local IPCLUA = os.getenv("IPCLUA") or "build/ipclua"
local TASKS <const>, JOBS <const> = 3, 4

-- What becomes of the i-th job of a task; some are too large for a record.
local OUTCOME <const> = {"next", "gone", "dead", "gone"}

local CODE <const> = [[
  local ipc = require "ipc"
  io.stdout:setvbuf("no")
  local q = assert(ipc.queue(ipc.disk_key(os.getenv "FOLDER", "jobs"), {codec = "raw"}))
  for t = 1, 3 do
    ipc.task(function()
      for i = 1, 4 do
        local id = t .. "." .. i
        assert(q:send(t, id .. ("x"):rep((t + i) % 4 == 0 and 9000 or 20), nil, {id = id}))
        print("sent", id)
        local job = assert(q:take(t))
        if i == 1 then
          assert(job:done(t + 10, id))
          print("next", id)
        elseif i == 3 then
          assert(job:bury("not that"))
          print("dead", id)
        else
          assert(job:retry(0, "again"))
          assert(q:take(t)):done()
          print("gone", id)
        end
      end
    end)
  end
  ipc.run()
]]

describe("a queue on a disk", function()
  after_each(disk.cleanup)
  teardown(peer.clean)

  local function open(folder, options)
    return assert(ipc.queue(ipc.disk_key(folder, "jobs"), options or {codec = "raw"}))
  end

  local function said(lines)
    local last = {}
    for _, line in ipairs(lines) do
      local word, id = line:match("^(%l+)\t(%d%.%d)$")
      if word then last[id] = word end
    end
    return last
  end

  -- Where each job is: "ready" (or taken by the dead), "next", "dead".
  local function found(q, where)
    local at = {}
    local function note(id, word)
      assert.is_nil(at[id], where .. ": twice: " .. id)
      at[id] = word
    end
    for letter in q:dead() do note(letter.id, "dead") end
    while true do
      local job = q:take(0, 0)
      if not job then return at end
      local id = job.message:match("^%d%.%d")
      note(id, job.type > 10 and "next" or "ready")
      assert.equal(job.type > 10 and id or id .. ("x"):rep(#job.message - 3), job.message)
      assert.is_true(job:done())
    end
  end

  local function check(folder, last, where)
    if not power_cut.exists(folder) then return end -- it came to its end before that
    local q <close> = open(folder)
    local at = found(q, where)
    for t = 1, TASKS do
      for i = 1, JOBS do
        local id = t .. "." .. i
        local now, word, outcome = at[id] or "gone", last[id], OUTCOME[i]
        local fits = word == outcome and now == outcome or word == "sent" and (now == "ready" or now == outcome)
          or not word and (now == "gone" or now == "ready")
        assert.is_true(fits, ("%s: job %s is %s after %s"):format(where, id, now, word))
      end
    end
    local stat = q:stat()
    assert.same({0, 0, 0}, {stat.ready, stat.taken, stat.delayed}, where)
    q:drop()
    assert.equal(0, q:stat().bytes, where)
    assert(q:send(1, "more"))
    assert.equal("more", (q:receive(1, 0)))
  end

  it("has what was said before a power cut, and nothing half #nosan", function()
    local base = disk.folder()
    local count = power_cut.count(base .. "/shop", CODE)
    assert.is_true(count > 60)
    for at = 1, count do
      for seed = 1, rounds(1) do
        assert(os.execute(("rm -rf %s/shop"):format(base)))
        local lines = power_cut.cut(base .. "/shop", CODE, at, seed * 1000 + at, base .. "/left")
        check(base .. "/left", said(lines), ("at %d, seed %d"):format(at, seed))
      end
    end
  end)

  it("has it when the process is killed at any write, and the machine goes on #nosan", function()
    local base = disk.folder()
    local count = power_cut.count(base .. "/shop", CODE)
    for at = 1, count, 3 do
      assert(os.execute(("rm -rf %s/shop"):format(base)))
      check(base .. "/shop", said(power_cut.run(base .. "/shop", CODE, {AT = at})), "killed at " .. at)
    end
  end)

  it("keeps messages, delays, dead letters and counts when no process has it any more", function()
    local folder = disk.folder() .. "/shop"
    local code = ([[
      local q = assert(require "ipc".queue(require "ipc".disk_key(%q, "jobs"), {codec = "raw"}))
      for i = 1, 3 do q:send(i, "m" .. i, nil, {id = "id" .. i}) end
      q:send(4, "later", nil, {after = 3600})
      q:take(3):bury("why")
      q:take(1)
      os.exit(0, false)
    ]]):format(folder)
    shell.output(("%s -e '%s'"):format(IPCLUA, code))
    local q <close> = open(folder)
    local stat = q:stat()
    assert.same({2, 1, 0, 1}, {stat.ready, stat.delayed, stat.taken, stat.dead})
    assert.same({nil, "exists"}, {q:send(1, "again", 0, {id = "id1"})})
    local job = q:take(0, 0)
    assert.same({"m1", 1, "id1", 2, 1}, {job.message, job.type, job.id, job.attempt, job.deaths})
    assert.is_true(job:done())
    for letter in q:dead() do assert.same({"m3", "id3", "why"}, {letter.message, letter.id, letter.reason}) end
  end)

  -- What code prints that has a small disk: its $FOLDER.
  local function on_disk(size, code)
    local folder = disk.folder()
    local mount = ([[unshare -m sh -c 'mount -t tmpfs -o size=%s none %s && exec %s -e "$CODE"']]):format(size,
      folder, IPCLUA)
    if not os.execute(("CODE='' %s 2>/dev/null"):format(mount)) then
      pending("this machine does not let us make a small disk")
    end
    return shell.output(("FOLDER=%s/shop CODE='%s' %s 2>&1"):format(folder, code, mount))
  end

  -- Fills the disk and empties it, three times.
  local function empty(size, sync)
    local code = ([[
      local ipc = require "ipc"
      local key = ipc.disk_key(os.getenv "FOLDER", "jobs")
      local q = assert(ipc.queue(key, {codec = "raw", capacity = 1 << 30, sync = "%s"}))
      for round = 1, 3 do
        local sent, ok, why, code = 0, true
        while ok do
          ok, why, code = q:send(1, ("x"):rep(sent %% 3 == 0 and 9000 or 100))
          if ok then sent = sent + 1 end
        end
        assert(code == 28 and sent > 500, why)
        local jobs = {}
        for i = 1, 90 do jobs[i] = assert(q:take(1, 0)) end
        for i = 1, 90, 3 do
          assert(jobs[i]:bury("why"))
          assert(jobs[i + 1]:retry(0, "again"))
          assert(jobs[i + 2]:release())
        end
        local took = 0
        for job in function() return (q:take(1, 0)) end do
          assert(job:done())
          took = took + 1
        end
        assert(took == sent - 30 and q:drop() == 30)
      end
      print("emptied")
    ]]):format(sync)
    assert.equal("emptied\n", on_disk(size, code))
  end

  it("can be emptied when the disk is full", function()
    empty("8m", "each")
  end)

  it("can be emptied when the disk is full that is not waited for", function()
    empty("12m", "soon")
  end)

  -- Each of them keeps pages from being used, until it saves.
  it("can be emptied by several processes then", function()
    assert.equal("emptied\n", on_disk("12m", [[
      local ipc = require "ipc"
      local key = ipc.disk_key(os.getenv "FOLDER", "jobs")
      local function open() return assert(ipc.queue(key, {codec = "raw", capacity = 1 << 30, sync = "soon"})) end
      local function empty()
        local q <close> = open()
        while true do
          local job, why = q:take(1, 0)
          if not job then return assert(why == "timeout", why) end
          assert(job:done())
        end
      end
      local q = open()
      while q:send(1, ("x"):rep(3000)) do end
      q:close()
      local others = {}
      for i = 1, 3 do others[i] = assert(ipc.process(empty)) end
      empty()
      for i = 1, 3 do assert(others[i]:wait()) end
      print(#open() == 0 and "emptied")
    ]]))
  end)

  it("is of no process of the time before the machine was started again", function()
    local id = shell.output("cat /proc/sys/kernel/random/boot_id")
    local mount = "unshare -m sh -c 'mount --bind %s /proc/sys/kernel/random/boot_id && exec %s -e \"$CODE\"'"
    local other = os.tmpname()
    finally(function() os.remove(other) end)
    assert(os.execute(("echo %s > %s"):format(id:reverse():gsub("%s", ""), other)))
    if not os.execute("unshare -m mount --bind " .. other .. " /proc/sys/kernel/random/boot_id 2>/dev/null") then
      return pending("this machine does not let us pretend that it was started again")
    end
    local folder = disk.folder() .. "/shop"
    local q <close> = open(folder)
    q:send(1, "held")
    local job <close> = q:take(1, 0)
    assert.equal("held", job.message)
    local code = ([[
      local q = assert(require "ipc".queue(require "ipc".disk_key("%s", "jobs"), {codec = "raw"}))
      local job = q:take(1, 0)
      print(job and job.message, job and job.deaths)
      job:done()
    ]]):format(folder)
    assert.equal("held\t1\n", shell.output(("CODE='%s' "):format(code) .. mount:format(other, IPCLUA)))
    assert.same({nil, "expired"}, {job:done()})
  end)
end)
