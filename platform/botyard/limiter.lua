#!lua flags=allow-oom
-- Permits for several sends of one bot, each for a moment within the horizon, or the moment to ask again.
-- A send passes all its scopes or takes from none of them. All times are milliseconds.
-- ARGV: bot, horizon, private burst, private spacing, group sends, group window, bulk spacing, paid spacing, a name of
-- these permits that none had before, then per send: chat, budget, rate, weight. chat '' asks the bot's own closing only;
-- budget is 'm' messages, 'e' edits, '' none; rate is 'b' bulk, 'p' paid bulk, '' none.
-- Answers with now, in microseconds, then per send: 1, or 0 when its chat is not open, or -1 when the bot's rate is
-- spent; and the microseconds until its moment.
local T = redis.call('TIME')
local now = T[1] * 1000 + T[2] / 1000

-- A channel that is known by its name and by its id is one chat.
local function known_as(bot, chat)
  return string.sub(chat, 1, 1) == '@' and redis.call('HGET', 'by:names:' .. bot, chat) or chat
end

local function moment(key)
  return tonumber(redis.call('GET', key) or '0')
end

local function put(key, at)
  redis.call('SET', key, string.format('%.3f', at), 'PX', math.max(math.ceil(at - now), 0) + 1000)
end

-- The log of a group holds the moments of its sends, future ones too; a new one never comes before the newest.
local function group_opens(key, weight, group_sends, window)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
  local newest = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]
  local leaves = redis.call('ZRANGE', key, weight - 1 - group_sends, weight - 1 - group_sends, 'WITHSCORES')[2]
  return math.max(tonumber(newest or '0'), leaves and tonumber(leaves) + window or 0)
end
-- Until here for all calls of a trip, from here for each.
local bot, horizon, burst, private_ms, group_sends, window = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local spacing = { b = tonumber(ARGV[7]), p = tonumber(ARGV[8]) }
local base, shut = 'by:lim:' .. bot, 'by:shut:' .. bot
local bot_opens = tonumber(redis.call('ZSCORE', shut, '') or '0')
local permits = ARGV[9]
local ahead = {}
-- A bot that was closed a while ago spaces all its messages like bulk: the burst that closed it is still waiting.
local careful = redis.call('EXISTS', 'by:careful:' .. bot) == 1

local answer = { string.format('%d', T[1] * 1000000 + T[2]) }
for i = 10, #ARGV, 4 do
  local chat, budget, rate, weight = known_as(bot, ARGV[i]), ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
  if careful and rate == '' and budget ~= '' then rate = 'b' end
  local first = string.sub(chat, 1, 1)
  local group = first == '-' or first == '@'
  local key = base .. ':' .. budget .. ':' .. chat
  local at, full = math.max(now, bot_opens), nil
  if chat ~= '' then at = math.max(at, tonumber(redis.call('ZSCORE', shut, chat) or '0')) end
  if budget ~= '' and group then
    weight = math.min(weight, group_sends)
    at = math.max(at, group_opens(key, weight, group_sends, window))
  elseif budget ~= '' then
    -- Spacing with a burst (GCRA): the stored moment is when the whole burst is there again.
    weight = math.min(weight, burst)
    full = moment(key)
    at = math.max(at, full - private_ms * (burst - weight))
  end
  local next_bulk = rate ~= '' and math.max(moment(base .. ':' .. rate), now) or now
  -- A chat that must wait longer than the next free bulk moment would waste the moments in between.
  local waits_for_chat = rate ~= '' and at > next_bulk + spacing[rate]
  local go = math.max(at, next_bulk)
  if go - now <= horizon and not waits_for_chat then
    if budget ~= '' and group then
      for n = 1, weight do redis.call('ZADD', key, go, permits .. ':' .. i .. ':' .. n) end
      redis.call('PEXPIRE', key, math.ceil(go - now + window))
    elseif full then
      put(key, math.max(full, go) + private_ms * weight)
    end
    if rate ~= '' then put(base .. ':' .. rate, go + spacing[rate] * weight) end
    answer[#answer + 1] = 1
  else
    local crowded = rate ~= '' and not waits_for_chat
    if crowded then
      -- Those that are refused together come back one after the other.
      go = math.max(go, ahead[rate] or 0)
      ahead[rate] = go + spacing[rate] * weight
    end
    answer[#answer + 1] = crowded and -1 or 0
  end
  answer[#answer + 1] = math.ceil((go - now) * 1000)
end
return answer
