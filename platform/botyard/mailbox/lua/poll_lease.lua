-- Take the lease of a bot's polling, or renew it if it is ours already.
local key, owner, lease = unpack(ARGV)
local holder = redis.call('GET', key)
if holder and holder ~= owner then return 0 end
redis.call('SET', key, owner, 'PX', lease)
return 1
