-- Take entries out of a chat's mailbox, or put others in their place: pairs of an entry and what replaces it, or ''.
-- Without pairs the whole mailbox goes, and with it whoever holds the chat has lost it.
local bot, chat = ARGV[1], ARGV[2]
local box, gone = 'by:box:' .. bot .. ':' .. chat, {}
if #ARGV == 2 then
  gone = redis.call('LRANGE', box, 0, -1)
  redis.call('DEL', box)
end
for i = 3, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    if redis.call('LREM', box, 1, ARGV[i]) == 1 then gone[#gone + 1] = ARGV[i] end
  elseif redis.call('LINSERT', box, 'BEFORE', ARGV[i], ARGV[i + 1]) > 0 then
    redis.call('LREM', box, 1, ARGV[i])
  end
end
for _, entry in ipairs(gone) do redis.call('HDEL', 'by:try:' .. bot, id_of(entry), id_of(entry) .. 'r') end
if redis.call('HINCRBY', 'by:bot:' .. bot, 'held', -#gone) < 0 then redis.call('HSET', 'by:bot:' .. bot, 'held', 0) end
if redis.call('LLEN', box) == 0 and (#ARGV == 2 or redis.call('HEXISTS', 'by:own:' .. bot, chat) == 0) then
  free(bot, chat)
end
return #gone
