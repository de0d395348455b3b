-- Lease the chats that have waited longest, one for each token. Any ticket that arrives works, live or not.
local bot, ticket, lease, running, stamp, queue, holding = unpack(ARGV, 1, 7)
local wanted, taken = #ARGV - 7, {}
if stamp ~= '' then redis.call('SET', 'by:wait:' .. queue, math.max(now - stamp, 0), 'EX', 600) end
redis.call('ZADD', 'by:tix:' .. bot, 'XX', now + running, ticket)
local paused = redis.call('HGET', 'by:bot:' .. bot, 'paused') == '1'
while not paused and #taken < wanted do
  local due = redis.call('ZRANGEBYSCORE', 'by:chats:' .. bot, '-inf', now, 'LIMIT', 0, wanted - #taken)
  if not due[1] then break end
  for _, chat in ipairs(due) do
    local entry = redis.call('LINDEX', 'by:box:' .. bot .. ':' .. chat, 0)
    if entry then
      redis.call('HSET', 'by:own:' .. bot, chat, ARGV[8 + #taken])
      taken[#taken + 1] = hand(bot, chat, entry, lease)
    else
      free(bot, chat)
    end
  end
end
if taken[1] then
  index(bot)
elseif holding == '0' then
  -- The ticket is retired in the same step that finds nothing, so no wake-up is lost in between. While other chats are
  -- still held its slice goes on, and keeps its place.
  redis.call('ZREM', 'by:tix:' .. bot, ticket)
end
return taken
