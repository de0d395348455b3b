-- Leave a bot's outbox: at once again if the bell moved or work is left, later if a row is due then, else for good.
local bot, token, ticket, bell, due_in, queued, new = unpack(ARGV)
redis.call('ZREM', 'by:tix:send:' .. bot, ticket)
if redis.call('HGET', 'by:send:own', bot) ~= token then return false end
redis.call('HDEL', 'by:send:own', bot)
if (redis.call('HGET', 'by:send:bell', bot) or '0') ~= bell then due_in = '0' end
if due_in == '' then
  redis.call('ZREM', 'by:send', bot)
  redis.call('HDEL', 'by:send:bell', bot)
  return false
end
redis.call('ZADD', 'by:send', now + due_in, bot)
return issue_send(bot, queued, new)
