#!lua flags=allow-oom
-- Close a chat for some milliseconds. Of several answers the one that closes longest holds.
local T = redis.call('TIME')
local now = T[1] * 1000 + T[2] / 1000
local key, ms = 'by:closed:' .. ARGV[1] .. ':' .. ARGV[2], tonumber(ARGV[3])
local until_ms = math.max(tonumber(redis.call('GET', key) or '0'), now + ms)
redis.call('SET', key, string.format('%.3f', until_ms), 'PX', math.ceil(until_ms - now) + 1000)
