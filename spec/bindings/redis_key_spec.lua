-- SPDX-License-Identifier: MIT
-- Keys of a Redis server: URLs, what is shown of them, and what is none. Nothing here connects.

local ipc = require "ipc"
local engines = require "spec.support.engines"

local redis = engines.redis

describe("a redis key", function()
  if redis.missing then return pending(redis.missing) end

  local function shows(text, url) assert.equal("ipc.Key (" .. text .. ")", tostring(ipc.redis_key(url))) end
  local function refuses(pattern, url) assert.error_matches(function() ipc.redis_key(url) end, pattern) end

  it("has a host, a port, a database and a name", function()
    shows("redis://db.example:6379/0/jobs", "redis://db.example/jobs")
    shows("redis://db.example:7000/12/jobs", "redis://db.example:7000/12/jobs")
    shows("redis://[::1]:6379/3/a/b", "redis://[::1]/3/a/b")
    shows("redis://127.0.0.1:6379/0/7", "redis://127.0.0.1/0/7")
    shows("redis://h:1/0/a.b_c-d", "redis://h:1/a%2Eb_c-d")
  end)

  it("or the path of a socket", function()
    shows("redis+unix:///run/redis.sock?db=0&name=jobs", "redis+unix:///run/redis.sock?name=jobs")
    shows("redis+unix:///run/redis.sock?db=4&name=jobs", "redis+unix:///run/redis.sock?db=4&name=jobs")
  end)

  it("or several hosts, or sentinels", function()
    shows("redis://a:1,b:6379,[::1]:2/0/jobs", "redis://a:1,b,[::1]:2/jobs")
    shows("redis+sentinel://a:26379,b:7/mine/0/jobs", "redis+sentinel://me:secret@a,b:7/mine/jobs")
    shows("redis+sentinel://a:26379/mine/3/x/y?prefix=p", "redis+sentinel://a/mine/3/x/y?prefix=p&timeout=1")
    assert.equal("x/y", ipc.redis_key("redis+sentinel://a/mine/3/x/y?prefix=p").name)
  end)

  if pcall(ipc.redis_key, "rediss://h/n") then
    it("or TLS", function()
      shows("rediss://h:6379/0/jobs", "rediss://h/jobs")
      shows("rediss+sentinel://h:26379/m/0/jobs", "rediss+sentinel://h/m/jobs?verify=yes")
      shows("rediss://h:6379/0/jobs", "rediss://u:p@h/jobs?ca=/a%20b.pem&cert=/c&key=/k&verify=no")
      assert.equal("jobs", ipc.redis_key("rediss://h/jobs?verify=no").name)
      assert.not_equal(ipc.redis_key("redis://h/n"), ipc.redis_key("rediss://h/n"))
      refuses("absolute path", "rediss://h/n?ca=ca.pem")
      refuses("key in the URL needs cert", "rediss://h/n?key=/k")
      refuses("yes or no", "rediss://h/n?verify=perhaps")
      refuses("for rediss:// only", "redis://h/n?ca=/x")
      refuses("redis", "rediss+unix:///s?name=n")
    end)
  end

  it("knows its name", function()
    assert.equal("a/b", ipc.redis_key("redis://h/2/a/b").name)
    assert.equal("a/b", ipc.redis_key("redis://h/2/a/b?prefix=mine&timeout=2").name)
    assert.equal("a/b", ipc.redis_key("redis+unix:///tmp/x?name=a/b&prefix=mine").name)
    assert.is_nil(ipc.redis_key("redis://h/2/a").id)
  end)

  it("shows no password", function()
    for _, url in ipairs{"redis://me:secret@h/n", "redis://:secret@h/n", "redis://me:s%65cret@h:1/2/n?lease=1"} do
      assert.not_matches("secret", tostring(ipc.redis_key(url)))
      assert.not_matches("me", tostring(ipc.redis_key(url)))
    end
    shows("redis://h:6379/0/n", "redis://user@host:pass%40word@h/n")
  end)

  it("is what ipc.key makes of its text", function()
    assert.equal(ipc.redis_key("redis://h/n"), ipc.key("redis://h:6379/0/n"))
    assert.equal(ipc.redis_key("redis+unix:///s?name=n"), ipc.key("redis+unix:///s?db=0&name=n"))
    assert.not_equal(ipc.redis_key("redis://h/n"), ipc.key("redis://h/1/n"))
    assert.not_equal(ipc.redis_key("redis://h/n"), ipc.key("redis://h/n?prefix=other"))
    for _, url in ipairs{"redis://h/n?prefix=other", "redis://a:1,b/2/n", "redis+sentinel://a,b/m/n?prefix=x"} do
      assert.equal(ipc.redis_key(url), ipc.key((tostring(ipc.redis_key(url)):match("%((.*)%)"))))
    end
  end)

  it("is no file, so it has no next project", function()
    assert.error_matches(function() ipc.redis_key("redis://h/n"):clone() end, "is no file")
  end)

  it("refuses what is no URL", function()
    for _, url in ipairs{"", "h", "redis:", "redis://", "redis:///n", "redis://h", "http://h/n", "redisss://h/n",
      "redis://[::1/n", "redis://[::1]x/n", "redis+unix://path?name=n"} do
      refuses("redis", url)
    end
    refuses("port in the URL", "redis://h:0/n")
    refuses("port in the URL", "redis://h:65536/n")
    refuses("port in the URL", "redis://h:x/n")
    refuses("without a password", "redis://user@h/n")
    refuses("more than 16", "redis://" .. ("h,"):rep(16) .. "h/n")
    for _, url in ipairs{"redis://a,,b/n", "redis://,a/n", "redis://a,/n", "redis+sentinel://a", "redis+tls://a/n"} do
      refuses("redis", url)
    end
    refuses("names the master", "redis+sentinel://a//n")
    refuses("a redis key is", "redis+sentinel://a/m")
    refuses("name in the URL", "redis+sentinel://a/m/")
    refuses("name in the URL", "redis://h/")
    refuses("name of digits alone in the URL needs a database before it", "redis://h/3") -- is database 3 elsewhere
    refuses("client_name in the URL", "redis://h/n?client_name=a%20b")
    refuses("name in the URL", "redis://h/0/")
    refuses("name in the URL", "redis://h/a{b}")
    refuses("name in the URL", "redis://h/" .. ("x"):rep(201))
    refuses("host in the URL", "redis://a b/n")
    refuses("without", "redis+unix:///a%20b?name=n")
    refuses("needs %?name=", "redis+unix:///s")
    refuses("db in the URL", "redis://h/65536/n")
    refuses("db in the URL", "redis+unix:///s?db=x&name=n")
    refuses("zero byte", "redis://h/n\0")
    for _, url in ipairs{"redis://h/a%00b", "redis://h/a%4", "redis://h/a%", "redis://me:s%zz@h/n", "redis://m%e:s@h/n",
      "redis://h/n?prefix=a%x1", "redis+unix:///s?name=%"} do
      refuses('a "%%" in the URL', url)
    end
  end)

  it("refuses options that are none", function()
    refuses("unknown option 'color' in the URL; it knows prefix.* timeout%)", "redis://h/n?color=red")
    refuses("unknown option '' in the URL; it knows .* name, db%)", "redis+unix:///s?=red")
    refuses("unknown option 'x+' in the URL", "redis://h/n?" .. ("x"):rep(1000) .. "=1")
    refuses("db .* is for redis%+unix:// only", "redis://h/n?db=3")
    refuses("ca in the URL is for rediss:// only", "redis://h/n?ca=/ca.pem")
    refuses("verify in the URL is for rediss:// only", "redis+unix:///s?name=n&verify=no")
    refuses("lease is twice in the URL", "redis://h/n?lease=1&timeout=2&lease=1")
    refuses("name is twice in the URL", "redis+unix:///s?name=a&name=b")
    refuses("name=value", "redis://h/n?lease")
    refuses("lease in the URL", "redis://h/n?lease=0")
    refuses("lease in the URL", "redis://h/n?lease=-1")
    refuses("lease in the URL", "redis://h/n?lease=nan")
    refuses("lease in the URL", "redis://h/n?lease=0x10")
    refuses("timeout in the URL", "redis://h/n?timeout=1e9")
    refuses("timeout in the URL", "redis://h/n?timeout=")
    refuses("prefix in the URL", "redis://h/n?prefix=a{b")
    refuses("prefix in the URL", "redis://h/n?prefix=")
  end)
end)
