#!lua flags=allow-oom
-- Whether one more request fits into each of several quotas: it counts against all of them, or against none.
-- A window slides: of the window before, as much counts as still lies within its length. All times are milliseconds.
-- ARGV: per quota its name, how many requests, and the seconds of its window.
-- Answers with 1 or 0, then per quota: how many more fit, how long until its window begins anew, and how long until
-- one fits (0: now).
local T = redis.call('TIME')
local now = T[1] * 1000 + math.floor(T[2] / 1000)
local answer, fits = { 1 }, {}
for i = 1, #ARGV, 3 do
  local quota, length = tonumber(ARGV[i + 1]), ARGV[i + 2] * 1000
  local window = math.floor(now / length)
  local past = now - window * length
  local key = 'by:rate:' .. ARGV[i] .. ':'
  local before = tonumber(redis.call('GET', key .. (window - 1)) or '0')
  local within = tonumber(redis.call('GET', key .. window) or '0')
  local left = math.floor(quota - within - before * (length - past) / length)
  local wait = 0
  if left < 1 then
    answer[1] = 0
    if within < quota then
      wait = length - (quota - 1 - within) * length / before - past
    else
      wait = length - past + length - (quota - 1) * length / within
    end
  end
  fits[#fits + 1] = { key .. window, 2 * length - past }
  answer[#answer + 1] = math.max(left, 0)
  answer[#answer + 1] = length - past
  answer[#answer + 1] = math.max(math.ceil(wait), 0)
end
if answer[1] == 1 then
  for i, one in ipairs(fits) do
    redis.call('INCR', one[1])
    redis.call('PEXPIRE', one[1], one[2])
    answer[i * 3 - 1] = answer[i * 3 - 1] - 1
  end
end
return answer
