-- A bot is removed: nothing of it waits any more, nobody holds any of it, and its updates are refused at the door.
-- What a slice still holds of it, it has lost: the tokens are gone. The mark outlives every ticket that is on its way.
local bot, row, seconds = unpack(ARGV)
for _, chat in ipairs(redis.call('ZRANGE', 'by:chats:' .. bot, 0, -1)) do
  redis.call('DEL', 'by:box:' .. bot .. ':' .. chat)
end
local said = redis.call('HMGET', 'by:bot:' .. bot, 'row', 'version', 'said')
redis.call('DEL', 'by:chats:' .. bot, 'by:own:' .. bot, 'by:try:' .. bot, 'by:tix:' .. bot, 'by:bot:' .. bot)
redis.call('DEL', 'by:poll:' .. bot, 'by:polling:' .. bot, 'by:tix:send:' .. row)
redis.call('ZREM', 'by:bots', bot)
redis.call('ZREM', 'by:send', row)
redis.call('HDEL', 'by:send:own', row)
redis.call('HDEL', 'by:send:bell', row)
redis.call('HSET', 'by:bot:' .. bot, 'gone', 1, 'paused', 1)
-- Whoever read the bot's row before must not take the mark away.
if said[3] then
  redis.call('HSET', 'by:bot:' .. bot, 'row', said[1], 'version', said[2], 'said', said[3])
end
redis.call('EXPIRE', 'by:bot:' .. bot, seconds)
