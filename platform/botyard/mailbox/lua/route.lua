-- Say how a bot's updates are routed, unless a later reading of its row was said before. A later row counts before a
-- later version. What was said ten minutes ago fences no more: a database that was restored counts from an old number.
local bot, row, version, queue, share, paused, removed = unpack(ARGV)
local key = 'by:bot:' .. bot
local read = redis.call('HMGET', key, 'row', 'version', 'said')
local row_then, version_then = tonumber(read[1] or 0), tonumber(read[2] or 0)
local older = tonumber(row) < row_then or tonumber(row) == row_then and tonumber(version) < version_then
if older and math.abs(now - tonumber(read[3] or 0)) < 600000 then return 0 end
redis.call('HSET', key, 'queue', queue, 'paused', paused, 'row', row, 'version', version, 'said', now)
if share == '' then redis.call('HDEL', key, 'share') else redis.call('HSET', key, 'share', share) end
if removed == '0' then
  -- It may have been removed and be here again.
  redis.call('HDEL', key, 'gone')
  redis.call('PERSIST', key)
end
return 1
