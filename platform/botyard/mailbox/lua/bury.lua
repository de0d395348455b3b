-- Free what these processes hold: they are gone. It reads every bot that has mail, which a death is rare enough for.
local dead = {}
for _, name in ipairs(ARGV) do dead[name] = true end
local function held_by_dead(token)
  return dead[string.match(token, '^(.*)%.')]
end
local freed = 0
for _, bot in ipairs(redis.call('ZRANGE', 'by:bots', 0, -1)) do
  local own, found = redis.call('HGETALL', 'by:own:' .. bot), false
  for place = 1, #own, 2 do
    if held_by_dead(own[place + 1]) then
      free(bot, own[place], now)
      freed, found = freed + 1, true
    end
  end
  -- Whose tickets these are is not known. A living one works on without its place, and breeds none beyond the share.
  if found then redis.call('DEL', 'by:tix:' .. bot) end
end
local senders = redis.call('HGETALL', 'by:send:own')
for place = 1, #senders, 2 do
  local bot = senders[place]
  if held_by_dead(senders[place + 1]) then
    redis.call('HDEL', 'by:send:own', bot)
    redis.call('ZADD', 'by:send', now, bot)
    redis.call('DEL', 'by:tix:send:' .. bot)
    freed = freed + 1
  end
end
return freed
