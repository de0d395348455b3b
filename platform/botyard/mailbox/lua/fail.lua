-- Park the chat. Uncounted: the trouble was not the update's own.
local bot, chat, token, id, delay, uncount = unpack(ARGV)
if redis.call('HGET', 'by:own:' .. bot, chat) ~= token then return 'lost' end
local tries = 'by:try:' .. bot
local left = redis.call('HINCRBY', tries, id, uncount == '1' and -1 or 0)
if left > 0 then redis.call('HSET', tries, id .. 'r', 1) else redis.call('HDEL', tries, id, id .. 'r') end
free(bot, chat, now + delay)
return 'parked'
