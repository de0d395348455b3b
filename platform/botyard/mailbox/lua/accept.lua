-- Take an update in. Without allow-oom: a full Redis refuses it whole, at the first write.
local share, queued, cap, prefix = unpack(ARGV)
local room, born, lasting = tonumber(cap), 0, {}
-- Until here for all calls of a trip, from here for each.
local bot, chat, id, payload = unpack(ARGV)
local seen = 'by:seen:' .. bot .. ':' .. math.floor(id / 65536)
if redis.call('GETBIT', seen, id % 65536) == 1 then return 'known' end
local bot_is = redis.call('HMGET', 'by:bot:' .. bot, 'held', 'alias:' .. chat, 'gone')
if bot_is[3] then return 'gone' end
if tonumber(bot_is[1] or 0) >= room then return 'full' end
chat = bot_is[2] or chat
-- A script that dies midway is not rolled back. In this order it leaves a place without mail (take accepts that) or
-- mail without a seen bit (the repeat is dropped by the inbox), never a seen bit without mail.
local absent = redis.call('ZADD', 'by:chats:' .. bot, 'NX', now, chat)
redis.call('RPUSH', 'by:box:' .. bot .. ':' .. chat, id .. ' ' .. payload)
redis.call('SETBIT', seen, id % 65536, 1)
-- Telegram repeats an update for a day. What asks costs less than what is written, and once a day is often enough.
if not lasting[seen] then
  if redis.call('TTL', seen) < 86400 + 3600 then redis.call('EXPIRE', seen, 172800) end
  lasting[seen] = true
end
local held = redis.call('HINCRBY', 'by:bot:' .. bot, 'held', 1)
if absent == 0 then return held end
-- What becomes due now is due no later than anything else: its index need not be asked.
redis.call('ZADD', 'by:bots', 'LT', now, bot)
born = born + 1
return {held, issue(bot, share, queued, prefix .. born)}
