#!lua flags=allow-oom
-- A group became a supergroup: its budgets and its closing go on under the new id.
-- ARGV: bot, old chat, new chat.
local bot, old, new = unpack(ARGV)
for _, budget in ipairs({'m', 'e'}) do
  local from, to = 'by:lim:' .. bot .. ':' .. budget .. ':' .. old, 'by:lim:' .. bot .. ':' .. budget .. ':' .. new
  if redis.call('EXISTS', from) == 1 and redis.call('EXISTS', to) == 0 then redis.call('RENAME', from, to) end
end
local shut = 'by:shut:' .. bot
local deadline = redis.call('ZSCORE', shut, old)
if deadline then
  redis.call('ZADD', shut, 'GT', deadline, new)
  redis.call('ZREM', shut, old)
end
