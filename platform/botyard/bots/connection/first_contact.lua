#!lua flags=allow-oom
-- One permit of a host's budget: at most so many in any minute and in any hour, 0 for no limit. Answers 0, or the milliseconds to wait.
-- ARGV: key, permits a minute, permits an hour, a name for this one.
local key, per_minute, per_hour, name = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', key, '-inf', now - 3600000)
local function wait(most, window)
  if most == 0 then return 0 end
  local oldest = redis.call('ZREVRANGE', key, most - 1, most - 1, 'WITHSCORES')
  if not oldest[2] then return 0 end
  return math.max(oldest[2] + window - now, 0)
end
local longest = math.max(wait(per_minute, 60000), wait(per_hour, 3600000))
if longest > 0 then return longest end
redis.call('ZADD', key, now, name)
redis.call('PEXPIRE', key, 3600000)
return 0
