-- SPDX-License-Identifier: MIT
-- A queue of jobs against a list in Lua: whatever is sent, taken, given back, buried and revived, both have the same
-- jobs in the same states and the same order. JOB_SEQUENCES=100000 JOB_SEED=1 for more of them.

local contract = require "spec.support.contract"

local SEQUENCES <const> = tonumber(os.getenv("JOB_SEQUENCES")) or 40
local SEED <const> = tonumber(os.getenv("JOB_SEED")) or 7
local STEPS <const>, TYPES <const>, ATTEMPTS <const>, KEEP <const> = 40, 4, 3, 4
local LATER <const> = 1e6 -- seconds; no spec runs so long

-- The list: records in the order of their sending, {type, body, state, attempt, id, limit}; the dead in that of dying.
local Model = {}
Model.__index = Model

local function new_model(q)
  return setmetatable({q = q, records = {}, dead = {}, taken = {}, sent = 0}, Model)
end

local function index_of(list, record)
  for i, other in ipairs(list) do
    if other == record then return i end
  end
end

local function any_of(list)
  return list[1] and list[math.random(#list)]
end

function Model:count(state)
  local count = 0
  for _, record in ipairs(self.records) do
    if record.state == state then count = count + 1 end
  end
  return count
end

-- The ready record that receive(wanted) has to take.
function Model:next(wanted)
  local best
  for _, record in ipairs(self.records) do
    if record.state == "ready" then
      if wanted == 0 or record.type == wanted then return record end
      if wanted < 0 and record.type <= -wanted and not (best and best.type <= record.type) then best = record end
    end
  end
  return best
end

function Model:remove(record)
  table.remove(self.records, index_of(self.records, record))
end

function Model:die(record, reason)
  record.state, record.reason = "dead", reason
  self.dead[#self.dead + 1] = record
  if #self.dead > KEEP then self:remove(table.remove(self.dead, 1)) end
end

function Model:add(type, body, how, id)
  local record = {type = type, body = body, state = how and how.after == LATER and "delayed" or "ready", attempt = 0,
    id = id, limit = how and how.attempts or ATTEMPTS}
  self.records[#self.records + 1] = record
end

function Model:has(id)
  for _, record in ipairs(self.records) do
    if record.id == id and record.state ~= "dead" then return true end
  end
end

-- Operations: each is done to both, and compared.

local steps = {}

function steps.send(self)
  self.sent = self.sent + 1
  local type, body = math.random(TYPES), self.sent .. ("x"):rep(math.random(0, 200))
  local how, dice = nil, math.random(6)
  if dice == 1 then how = {after = LATER} end
  if dice == 2 then how = {id = "job " .. math.random(8)} end
  if dice == 3 then how = {attempts = math.random(2)} end
  if dice == 4 then how = {at = os.time() - 100} end
  local ok, id = self.q:send(type, body, 0, how)
  if how and how.id and self:has(how.id) then
    assert.is_nil(ok)
    return assert.equal("exists", id)
  end
  assert.is_true(ok)
  if how then assert.equal(how.id or id, id) end
  self:add(type, body, how, id)
end

function steps.receive(self)
  local wanted = math.random(-TYPES, TYPES)
  local record = self:next(wanted)
  local body, type = self.q:receive(wanted, 0)
  if not record then return assert.is_nil(body) end
  assert.are.same({record.body, record.type}, {body, type})
  self:remove(record)
end

function steps.peek(self)
  local wanted = math.random(-TYPES, TYPES)
  local record, body, type = self:next(wanted), self.q:peek(wanted)
  assert.are.same(record and {record.body, record.type} or {}, {body, type})
end

function steps.take(self)
  local wanted = math.random(-TYPES, TYPES)
  local record, job = self:next(wanted), self.q:take(wanted, 0)
  if not record then return assert.is_nil(job) end
  record.state, record.attempt, record.job = "taken", record.attempt + 1, job
  record.id = record.id or job.id
  self.taken[#self.taken + 1] = record
  assert.are.same({record.body, record.type, record.attempt, record.id, 0, record.reason},
    {job.message, job.type, job.attempt, job.id, job.deaths, job.reason})
  assert.is_true(job.token > (self.token or job.token - 1))
  self.token = job.token
end

local words = {}

function words.done(self, record)
  assert.is_true(record.job:done())
  self:remove(record)
end

function words.next(self, record)
  self.sent = self.sent + 1
  local type, body = math.random(TYPES), "next " .. self.sent
  assert.is_true(record.job:done(type, body))
  self:remove(record)
  self:add(type, body)
end

function words.release(_, record)
  assert.is_true(record.job:release())
  record.state, record.attempt = "ready", record.attempt - 1
end

function words.retry(self, record)
  local later, reason = math.random(4) == 1, "attempt " .. record.attempt
  local ok, dead = record.job:retry(later and LATER or 0, reason)
  assert.is_true(ok)
  if record.attempt >= record.limit then
    assert.equal("dead", dead)
    self:die(record, reason)
  else
    assert.is_nil(dead)
    record.state, record.reason = later and "delayed" or "ready", reason
  end
end

function words.bury(self, record)
  assert.is_true(record.job:bury("buried"))
  self:die(record, "buried")
end

local WORDS <const> = {"done", "done", "next", "release", "retry", "retry", "bury"}

function steps.word(self)
  local record = any_of(self.taken)
  if not record then return end
  table.remove(self.taken, index_of(self.taken, record))
  words[any_of(WORDS)](self, record)
  record.job = nil
end

-- Of several with one id, that is the first that died.
function Model:first_dead(id)
  for _, record in ipairs(self.dead) do
    if record.id == id then return record end
  end
end

function steps.revive(self)
  local record = any_of(self.dead)
  if not record then return assert.equal(0, self.q:revive("none such")) end
  record = self:first_dead(record.id)
  if self:has(record.id) then return end
  assert.equal(1, self.q:revive(record.id))
  table.remove(self.dead, index_of(self.dead, record))
  record.state, record.attempt, record.reason = "ready", 0, nil
end

function steps.drop(self)
  local record = any_of(self.dead)
  if not record then return assert.equal(0, self.q:drop()) end
  for _, other in ipairs(self.dead) do
    if other ~= record and other.id == record.id then return end
  end
  assert.equal(1, self.q:drop(record.id))
  table.remove(self.dead, index_of(self.dead, record))
  self:remove(record)
end

function steps.dead(self)
  local bodies, expected = {}, {}
  for letter in self.q:dead() do bodies[#bodies + 1] = letter.message .. " " .. letter.reason end
  for i, record in ipairs(self.dead) do expected[i] = record.body .. " " .. record.reason end
  table.sort(bodies)
  table.sort(expected)
  assert.are.same(expected, bodies)
end

function steps.stat(self)
  local stat = self.q:stat()
  assert.are.same({self:count("ready"), self:count("delayed"), #self.taken, #self.dead},
    {stat.ready, stat.delayed, stat.taken, stat.dead})
  assert.equal(self:count("ready"), #self.q)
end

local STEPS_OF <const> = {"send", "send", "send", "receive", "peek", "take", "take", "take", "word", "word", "word",
  "revive", "drop", "dead", "stat"}

local function sequence(q)
  local model = new_model(q)
  for _ = 1, STEPS do steps[any_of(STEPS_OF)](model) end
  steps.stat(model)
  for _, record in ipairs(model.taken) do record.job:done() end
  return model
end

local OPTIONS <const> = {codec = "raw", attempts = ATTEMPTS, keep = KEEP}

contract.jobs(_ENV, "a random sequence of what befalls jobs", function(_, open)
  it("leaves the queue as it leaves a list", function()
    math.randomseed(SEED)
    for n = 1, SEQUENCES do
      local q <close> = open(OPTIONS)
      local ok, err = xpcall(sequence, debug.traceback, q)
      if not ok then error(("sequence %d of seed %d: %s"):format(n, SEED, err), 0) end
      q:remove()
    end
  end)
end)
