-- Park the chat. Uncounted: the trouble was not the update's own.
local bot, chat, token, id, delay, uncount, came_back = unpack(ARGV)
if redis.call('HGET', 'by:own:' .. bot, chat) ~= token then return 'lost' end
local tries = 'by:try:' .. bot
local left = redis.call('HINCRBY', tries, id, uncount == '1' and -1 or 0)
if left <= 0 then
  redis.call('HDEL', tries, id, id .. 'r')
elseif came_back == '1' then
  redis.call('HSET', tries, id .. 'r', 1)
end
free(bot, chat, now + delay)
return 'parked'
