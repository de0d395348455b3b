-- A slice is over: its ticket dies, and a successor is born if work is left.
local bot, ticket, share, queued, new = unpack(ARGV)
redis.call('ZREM', 'by:tix:' .. bot, ticket)
return issue(bot, share, queued, new)
