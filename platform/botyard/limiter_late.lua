#!lua flags=allow-oom
-- A permit is used later than it was given for: what follows it moves by as much.
-- ARGV: bot, chat, budget, rate, weight, the permit's name, milliseconds.
local bot, chat, budget, rate, late = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[7])
local base = 'by:lim:' .. bot
if string.sub(chat, 1, 1) == '@' then chat = redis.call('HGET', 'by:names:' .. bot, chat) or chat end
local first = string.sub(chat, 1, 1)

-- Permits of one question that are late together are late once: what each key was moved by for it is remembered.
local function missing(key)
  local known = key .. ':late:' .. string.match(ARGV[6], '^[^:]+')
  local moved = tonumber(redis.call('GET', known) or '0')
  if late <= moved then return 0 end
  redis.call('SET', known, late, 'PX', 10000)
  return late - moved
end

local function shift(key)
  local at = redis.call('GET', key)
  local by = at and missing(key) or 0
  if by > 0 then redis.call('SET', key, string.format('%.3f', tonumber(at) + by), 'PX', redis.call('PTTL', key) + by) end
end

if budget ~= '' then
  local key = base .. ':' .. budget .. ':' .. chat
  if first == '-' or first == '@' then
    for n = 1, tonumber(ARGV[5]) do redis.call('ZADD', key, 'XX', 'INCR', late, ARGV[6] .. ':' .. n) end
    if redis.call('EXISTS', key) == 1 then redis.call('PEXPIRE', key, redis.call('PTTL', key) + late) end
  else
    shift(key)
  end
end
if rate ~= '' then shift(base .. ':' .. rate) end
