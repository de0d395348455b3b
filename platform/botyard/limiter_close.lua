#!lua flags=allow-oom
-- Telegram refused a chat: close it, and the whole bot when several of its chats were refused within a while.
-- Of several closings the one that lasts longest holds. Answers 1 when the bot is closed by this.
-- ARGV: bot, chat, milliseconds, how many chats close the bot, within how many milliseconds, and for how many it is
-- careful after that.
local T = redis.call('TIME')
local now = T[1] * 1000 + T[2] / 1000
local bot, chat, ms, chats, within = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local shut, refused = 'by:shut:' .. bot, 'by:refused:' .. bot

if string.sub(chat, 1, 1) == '@' then chat = redis.call('HGET', 'by:names:' .. bot, chat) or chat end

-- by:shut tells which bots have something closed, and until when.
redis.call('ZREMRANGEBYSCORE', 'by:shut', '-inf', now)
redis.call('ZADD', 'by:shut', 'GT', now + ms, bot)

local function close(member)
  redis.call('ZADD', shut, 'GT', now + ms, member)
  redis.call('PEXPIRE', shut, math.max(redis.call('PTTL', shut), math.ceil(ms) + 1000))
end

redis.call('ZREMRANGEBYSCORE', shut, '-inf', now)
close(chat)
redis.call('ZREMRANGEBYSCORE', refused, '-inf', now - within)
redis.call('ZADD', refused, now, chat)
redis.call('PEXPIRE', refused, within)
if redis.call('ZCARD', refused) < chats then return 0 end
close('')
redis.call('SET', 'by:careful:' .. bot, 1, 'PX', ms + tonumber(ARGV[6]))
return 1
