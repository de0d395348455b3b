-- Rows for this bot were committed.
local bot, queued, ticket = unpack(ARGV)
return wake(bot, queued, ticket)
