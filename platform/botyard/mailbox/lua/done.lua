-- The update is resolved in PostgreSQL: drop it, wake the sender, hand out the chat's next one or let the chat go.
local bot, chat, token, id, lease, more, sender, queued, ticket = unpack(ARGV)
if redis.call('HGET', 'by:own:' .. bot, chat) ~= token then return {'lost', false, false} end
local box = 'by:box:' .. bot .. ':' .. chat
local entry = redis.call('LINDEX', box, 0)
if entry and id_of(entry) == id then
  redis.call('LPOP', box)
  if redis.call('HINCRBY', 'by:bot:' .. bot, 'held', -1) < 0 then redis.call('HSET', 'by:bot:' .. bot, 'held', 0) end
  redis.call('HDEL', 'by:try:' .. bot, id, id .. 'r')
  entry = redis.call('LINDEX', box, 0)
end
-- Inside this script, so that whoever finds the duplicate after a crash wakes the sender again.
local woken = sender ~= '' and wake(sender, queued, ticket)
if not entry then free(bot, chat); return {'empty', false, woken} end
if more == '1' then
  local following = hand(bot, chat, entry, lease)
  index(bot)
  return {'next', following, woken}
end
free(bot, chat, now)
return {'released', false, woken}
