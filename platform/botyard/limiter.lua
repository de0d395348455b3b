#!lua flags=allow-oom
-- Permits for several sends of one bot. A send passes all its scopes or takes from none of them.
-- ARGV: bot, private burst, private ms per send, group sends, bulk ms per send, then per send: chat, budget, bulk.
-- A budget is 'm' for messages, 'e' for edits, '' for what is not limited. Answers with the milliseconds to wait.
local T = redis.call('TIME')
local now = T[1] * 1000 + T[2] / 1000
local bot, burst, private_ms, group_sends, bulk_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local minute = 60000

local function closed(key)
  local until_ms = redis.call('GET', key)
  return until_ms and math.max(tonumber(until_ms) - now, 0) or 0
end

-- Spacing with a burst (GCRA): the stored moment is when the bucket would be full again.
local function spaced(key, ms, size)
  local full = math.max(tonumber(redis.call('GET', key) or '0'), now)
  return math.max(full - now - ms * (size - 1), 0), full + ms
end

local waits = {}
for i = 6, #ARGV, 3 do
  local chat, budget, bulk = ARGV[i], ARGV[i + 1], ARGV[i + 2] == '1'
  local base = 'by:lim:' .. bot
  local wait = math.max(closed('by:closed:' .. bot), closed('by:closed:' .. bot .. ':' .. chat))
  local group = string.sub(chat, 1, 1) == '-' or string.sub(chat, 1, 1) == '@'
  local key = base .. ':' .. budget .. ':' .. chat
  local chat_full, bulk_full
  if budget ~= '' then
    if group then
      redis.call('ZREMRANGEBYSCORE', key, '-inf', now - minute)
      if redis.call('ZCARD', key) >= group_sends then
        wait = math.max(wait, tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]) + minute - now)
      end
    else
      local own
      own, chat_full = spaced(key, private_ms, burst)
      wait = math.max(wait, own)
    end
  end
  if bulk then
    local own
    own, bulk_full = spaced(base .. ':bulk', bulk_ms, 1)
    wait = math.max(wait, own)
  end
  if wait <= 0 then
    if budget ~= '' and group then
      redis.call('ZADD', key, now, string.format('%.3f:%d', now, i))
      redis.call('PEXPIRE', key, minute)
    elseif chat_full then
      redis.call('SET', key, string.format('%.3f', chat_full), 'PX', math.ceil(chat_full - now) + 1000)
    end
    if bulk_full then
      redis.call('SET', base .. ':bulk', string.format('%.3f', bulk_full), 'PX', math.ceil(bulk_full - now) + 1000)
    end
    waits[#waits + 1] = 0
  else
    waits[#waits + 1] = math.ceil(wait)
  end
end
return waits
