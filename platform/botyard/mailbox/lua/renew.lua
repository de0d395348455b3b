-- Keep a chat's lease and the ticket that works on it.
local bot, chat, token, lease, ticket, running = unpack(ARGV)
redis.call('ZADD', 'by:tix:' .. bot, 'XX', now + running, ticket)
if redis.call('HGET', 'by:own:' .. bot, chat) ~= token then return 0 end
redis.call('ZADD', 'by:chats:' .. bot, now + lease, chat)
index(bot)
return 1
