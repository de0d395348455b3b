-- Lease the chat that has waited longest. Any ticket that arrives works, live or not.
local bot, ticket, token, lease, running, stamp, queue, holding = unpack(ARGV)
if stamp ~= '' then redis.call('SET', 'by:wait:' .. queue, math.max(now - stamp, 0), 'EX', 600) end
redis.call('ZADD', 'by:tix:' .. bot, 'XX', now + running, ticket)
local paused = redis.call('HGET', 'by:bot:' .. bot, 'paused') == '1'
while true do
  local chat = not paused and redis.call('ZRANGEBYSCORE', 'by:chats:' .. bot, '-inf', now, 'LIMIT', 0, 1)[1]
  if not chat then
    -- The ticket is retired in the same step that finds nothing, so no wake-up is lost in between. While other chats
    -- are still held its slice goes on, and keeps its place.
    if holding == '0' then redis.call('ZREM', 'by:tix:' .. bot, ticket) end
    return false
  end
  local entry = redis.call('LINDEX', 'by:box:' .. bot .. ':' .. chat, 0)
  if entry then
    redis.call('HSET', 'by:own:' .. bot, chat, token)
    return hand(bot, chat, entry, lease)
  end
  free(bot, chat)
end
