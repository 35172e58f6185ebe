-- SPDX-License-Identifier: MIT
-- rediss://: a server with certificates of the spec's own. What is wrong with them, or with what the server speaks, is
-- told in words.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local ports = require "spec.support.ports"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE
local EACCES <const>, EINVAL <const>, EPROTO <const>, ECONNRESET <const>, ETIMEDOUT <const> = 13, 22, 71, 104, 110

local MAKE <const> = [[
set -e
cd FOLDER
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout $1.key -out $1.pem -subj /CN=$1
}
signed() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.csr -subj /CN=$1
  echo "$2" >$1.ext
  openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out $1.pem -extfile $1.ext
}
authority ca
authority other
signed server subjectAltName=DNS:localhost,IP:127.0.0.1
signed client subjectAltName=DNS:client
cat client.pem client.key >both.pem
]]

describe("a redis key with TLS", function()
  if engines.redis.missing then return pending(engines.redis.missing) end
  if not pcall(ipc.redis_key, "rediss://h/n") then return pending("this ipc was built without OpenSSL") end
  if not os.execute("command -v openssl >/dev/null") then return pending("this machine has no openssl") end

  local folder, server, strict, port, strict_port, plain_port
  lazy_setup(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    assert(os.execute("(" .. MAKE:gsub("FOLDER", folder) .. ") >/dev/null 2>&1"))
    port, plain_port, strict_port = ports(3)
    local tls = ("--bind 127.0.0.1 127.0.0.2 --tls-cert-file %s/server.pem --tls-key-file %s/server.key "
      .. "--tls-ca-cert-file %s/ca.pem "):format(folder, folder, folder)
    server = redis_process(tls .. ("--tls-port %d --port %d --tls-auth-clients no"):format(port, plain_port))
    strict = redis_process(tls .. ("--tls-port %d --tls-auth-clients yes"):format(strict_port))
  end)
  lazy_teardown(function()
    server:close()
    strict:close()
    os.execute("rm -rf " .. folder)
  end)
  before_each(function() server:cli("flushall") end)

  local function url(host, at, options)
    return ("rediss://%s:%d/n?timeout=%d&%s"):format(host, at, PATIENCE, options or ("ca=%s/ca.pem"):format(folder))
  end

  it("carries messages of any size, in order", function()
    local q <close> = assert(ipc.queue(url("localhost", port), {codec = "raw"}))
    local large = ("x"):rep(700000)
    local sender = ipc.task(function()
      for i = 1, 50 do assert(q:send(1, i .. large:sub(1, i % 10 == 0 and -1 or 100))) end
    end)
    for i = 1, 50 do
      local message = q:receive(0, PATIENCE)
      assert.equal(tostring(i), message:match("^%d+"))
      assert.equal(i % 10 == 0 and #large or 100, #message:match("x+"))
    end
    assert.is_true(sender:join())
  end)

  it("is as good for locks, and for what waits", function()
    local a <close> = assert(ipc.mutex(url("127.0.0.1", port)))
    local b <close> = assert(ipc.mutex(url("localhost", port)))
    assert.is_true(a:acquire(PATIENCE))
    local waiting = waits.waiting(function() return b:acquire(PATIENCE) end)
    assert.is_true(a:release())
    assert.same({true, true}, {waiting:join(PATIENCE)})
  end)

  it("connects again, and a forked child by itself", function()
    local q <close> = assert(ipc.queue(url("localhost", port)))
    local waiting = waits.waiting(function() return q:receive(0, PATIENCE) end)
    assert.equal(0, #q)
    server:cut()
    local child <close> = assert(ipc.process(function()
      assert(q:send(2, "of the child", PATIENCE))
    end))
    assert.same({true, "of the child", 2}, {waiting:join(PATIENCE)})
    assert.is_true(child:wait(PATIENCE))
    assert.is_true(q:send(1, "x", PATIENCE))
    assert.equal("x", (q:receive(0, PATIENCE)))
  end)

  it("shows a certificate to a server that asks for one", function()
    local ca = ("ca=%s/ca.pem&"):format(folder)
    local q <close> = assert(ipc.queue(url("localhost", strict_port, ca .. "cert=" .. folder .. "/both.pem")))
    assert.is_true(q:send(1, "x"))
    local m <close> = assert(ipc.mutex(url("localhost", strict_port,
      ("%scert=%s/client.pem&key=%s/client.key"):format(ca, folder, folder))))
    assert.is_true(m:acquire())
    local ok, message, code = ipc.queue(url("localhost", strict_port))
    assert.is_nil(ok)
    assert.is_true(code == EPROTO or code == ECONNRESET, message)
  end)

  it("refuses a certificate of another authority, or for another host", function()
    local function refused(text, pattern)
      local ok, message, code = ipc.queue(text)
      assert.same({nil, EACCES}, {ok, code}, message)
      assert.matches(pattern, message)
      assert.not_matches("secret", message)
    end
    refused(url("localhost", port, ("ca=%s/other.pem"):format(folder)), "certificate is not accepted")
    refused(url("localhost", port, "lease=1"), "certificate is not accepted")
    refused(url("127.0.0.2", port), "address mismatch")
    refused((url("localhost", port, "lease=1"):gsub("//", "//me:secret@")), "certificate is not accepted")
    local q <close> = assert(ipc.queue(url("127.0.0.2", port, "verify=no")))
    assert.is_true(q:send(1, "x"))
  end)

  it("says which file it cannot read", function()
    for _, case in ipairs{{"ca /no/where: No such file", "ca=/no/where"}, {"cert /no/where: No such", "cert=/no/where"},
      {"key FOLDER/client.pem", "cert=FOLDER/client.pem"},
      {"key FOLDER/server.key, or", "cert=FOLDER/client.pem&key=FOLDER/server.key"}} do
      local ok, message, code = ipc.queue(url("localhost", port, (case[2]:gsub("FOLDER", folder))))
      assert.same({nil, EINVAL}, {ok, code}, message)
      assert.is_truthy(message:find("cannot read " .. case[1]:gsub("FOLDER", folder), 1, true), message)
    end
  end)

  it("tells a server without TLS from one with", function()
    local short = ("timeout=0.3&ca=%s/ca.pem"):format(folder)
    local ok, message, code = ipc.queue(("rediss://127.0.0.1:%d/n?%s"):format(plain_port, short))
    assert.same({nil, ETIMEDOUT}, {ok, code}, message)
    assert.matches("without TLS is redis://", message)
    ok, message, code = ipc.queue(("redis://127.0.0.1:%d/n?timeout=%d"):format(port, PATIENCE))
    assert.same({nil, ECONNRESET}, {ok, code}, message)
    assert.matches("with TLS is rediss://", message)
  end)
end)
