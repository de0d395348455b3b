#!lua flags=allow-oom
-- A try at a password: may it be evaluated now? Then it counts, at once, however many others come at the same moment.
-- ARGV: 'begin', account, address ('' : none), free tries, first wait, longest wait, how long tries are remembered.
--   Answers with the wait in milliseconds, or 0 and for each count that was raised its key and the moment until which it
--   is closed now.
-- ARGV: 'end', account, address, how long an address is known, then these keys and moments: the password was right.
-- ARGV: 'undo', then as for 'end': nothing was compared.
-- All times are milliseconds.
local T = redis.call('TIME')
local now = T[1] * 1000 + math.floor(T[2] / 1000)
local own = 'by:tries:' .. ARGV[2] .. ':' .. ARGV[3]
local known = 'by:tries:known:' .. ARGV[2] .. ':' .. ARGV[3]

if ARGV[1] ~= 'begin' then
  -- What was right, or not compared, is no guess. The wait that it began goes with it, but not one that another try has begun since.
  for i = 5, #ARGV, 2 do
    if redis.call('EXISTS', ARGV[i]) == 1 then
      redis.call('HINCRBY', ARGV[i], 'tries', -1)
      if redis.call('HGET', ARGV[i], 'opens') == ARGV[i + 1] then redis.call('HDEL', ARGV[i], 'opens') end
    end
  end
  if ARGV[1] == 'end' and ARGV[3] ~= '' then
    redis.call('DEL', own)
    redis.call('SET', known, '1', 'PX', ARGV[4])
  end
  return {}
end

local free, first, longest, remembered = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local counts
if ARGV[3] == '' then
  counts = { 'by:tries:' .. ARGV[2] }
elseif redis.call('EXISTS', known) == 1 then
  counts = { own }
else
  counts = { 'by:tries:' .. ARGV[2], 'by:tries:@' .. ARGV[3] }
end

local wait = 0
for _, key in ipairs(counts) do
  wait = math.max(wait, tonumber(redis.call('HGET', key, 'opens') or '0') - now)
end
if wait > 0 then return { tostring(wait) } end

local answer = { '0' }
for _, key in ipairs(counts) do
  local tries = redis.call('HINCRBY', key, 'tries', 1)
  local opens = ''
  if tries >= free then
    opens = string.format('%d', now + math.min(first * 2 ^ math.min(tries - free, 30), longest))
    redis.call('HSET', key, 'opens', opens)
  end
  redis.call('PEXPIRE', key, remembered)
  answer[#answer + 1] = key
  answer[#answer + 1] = opens
end
return answer
