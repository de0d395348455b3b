-- Lease a bot's outbox, and read the bell that a later release compares.
local bot, ticket, token, lease, running, stamp = unpack(ARGV)
if stamp ~= '' then redis.call('SET', 'by:wait:outbound', math.max(now - stamp, 0), 'EX', 600) end
redis.call('ZADD', 'by:tix:send:' .. bot, 'XX', now + running, ticket)
local score = redis.call('ZSCORE', 'by:send', bot)
if not score or tonumber(score) > now then redis.call('ZREM', 'by:tix:send:' .. bot, ticket); return false end
redis.call('ZADD', 'by:send', now + lease, bot)
redis.call('HSET', 'by:send:own', bot, token)
return redis.call('HGET', 'by:send:bell', bot) or '0'
