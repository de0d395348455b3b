-- Issue tickets for everything that is due and has none: what a crash lost, and what was only waiting for its time.
local share, queued, prefix, limit, horizon = unpack(ARGV)
limit = tonumber(limit)
local issued, born = {}, 0
local function fresh()
  born = born + 1
  return prefix .. born
end

-- A window that wanders: busy bots at the front must not hide the ones behind them.
local function due(key)
  local count = redis.call('ZCOUNT', key, '-inf', now)
  local offset = count > limit and now % (count - limit + 1) or 0
  return redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', offset, limit)
end

-- After a failover to a server whose clock is behind, places lie far in the future and would sleep there.
local function clamp(key)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', key, now + horizon + 1, '+inf', 'LIMIT', 0, limit)) do
    redis.call('ZADD', key, now + horizon, member)
  end
end

clamp('by:send')
for _, bot in ipairs(redis.call('ZRANGEBYSCORE', 'by:bots', now + horizon + 1, '+inf', 'LIMIT', 0, limit)) do
  clamp('by:chats:' .. bot)
  index(bot)
end
for _, bot in ipairs(due('by:bots')) do
  clamp('by:chats:' .. bot)
  index(bot)
  local ticket = issue(bot, share, queued, fresh())
  if ticket then issued[#issued + 1] = {'updates', bot, unpack(ticket)} end
end
for _, bot in ipairs(due('by:send')) do
  local ticket = issue_send(bot, queued, fresh())
  if ticket then issued[#issued + 1] = {'sends', bot, unpack(ticket)} end
end
return issued
