-- Keep the lease of a bot's outbox.
local bot, token, lease, ticket, running = unpack(ARGV)
redis.call('ZADD', 'by:tix:send:' .. bot, 'XX', now + running, ticket)
if redis.call('HGET', 'by:send:own', bot) ~= token then return 0 end
redis.call('ZADD', 'by:send', now + lease, bot)
return 1
