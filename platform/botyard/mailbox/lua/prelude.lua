-- Shared by every script. Times are milliseconds of the server's own clock.
-- A chat's place is one score in by:chats:<bot>, "may be taken from this moment on": due is READY, later with an
-- owner is LEASED, later without one is PARKED, no member is ABSENT (its mailbox is empty).
local T = redis.call('TIME')
local now = T[1] * 1000 + math.floor(T[2] / 1000)

local function id_of(entry)
  return string.match(entry, '^(%-?%d+) ')
end

-- by:bots tells the sweep which bots have something due, and when.
local function index(bot)
  local head = redis.call('ZRANGE', 'by:chats:' .. bot, 0, 0, 'WITHSCORES')
  if head[1] then redis.call('ZADD', 'by:bots', head[2], bot) else redis.call('ZREM', 'by:bots', bot) end
end

-- How long a ticket put into this queue now will wait: a deadline shorter than that would breed tickets without end.
local function lifetime(queue, queued)
  local oldest = redis.call('LINDEX', queue, -1)
  local stamp = oldest and tonumber(string.match(oldest, '"stamp": ?(%d+)'))
  local wait = math.max(stamp and now - stamp or 0, tonumber(redis.call('GET', 'by:wait:' .. queue) or '0'))
  return math.min(math.max(tonumber(queued), 2 * wait), 600000)
end

local function has_enough(live, cap)
  return redis.call('ZCOUNT', live, '(' .. now, '+inf') >= cap
end

local function add_ticket(live, queue, queued, id)
  redis.call('ZREMRANGEBYSCORE', live, '-inf', now)
  local lasts = lifetime(queue, queued)
  redis.call('ZADD', live, now + lasts, id)
  redis.call('PEXPIRE', live, 3600000)
  return {id, now, queue, lasts}
end

-- The only birth of a ticket for a bot's updates. The caller sends the Celery message. One bot at a time may work apart
-- for a while, in another queue than its own. Where much is to be done there are enough: that is asked first.
local function issue(bot, share, queued, id)
  local bot_is, live = redis.call('HMGET', 'by:bot:' .. bot, 'queue', 'share', 'paused'), 'by:tix:' .. bot
  if bot_is[3] == '1' or has_enough(live, tonumber(bot_is[2] or share)) then return false end
  local head = redis.call('ZRANGE', 'by:chats:' .. bot, 0, 0, 'WITHSCORES')
  if not head[1] or tonumber(head[2]) > now then return false end
  local queue = redis.call('GET', 'by:apart') == bot and 'maintenance' or bot_is[1] or 'slow'
  return add_ticket(live, queue, queued, id)
end

-- The only birth of a ticket for a bot's sends: one at a time.
local function issue_send(bot, queued, id)
  local score = redis.call('ZSCORE', 'by:send', bot)
  local live = 'by:tix:send:' .. bot
  if not score or tonumber(score) > now or has_enough(live, 1) then return false end
  return add_ticket(live, 'outbound', queued, id)
end

-- Give the head of a chat to its owner: lease it and count the start. The mark "r" beside the count says that the
-- last start ended with an answer, so that only a start which never came back makes its update a suspect. The caller
-- says so to the index.
local function hand(bot, chat, entry, lease)
  redis.call('ZADD', 'by:chats:' .. bot, now + lease, chat)
  local id = id_of(entry)
  local attempt = redis.call('HINCRBY', 'by:try:' .. bot, id, 1)
  local answered = attempt > 1 and redis.call('HDEL', 'by:try:' .. bot, id .. 'r') or 1
  return {chat, entry, attempt, 1 - answered}
end

local function free(bot, chat, at)
  redis.call('HDEL', 'by:own:' .. bot, chat)
  if at then redis.call('ZADD', 'by:chats:' .. bot, at, chat) else redis.call('ZREM', 'by:chats:' .. bot, chat) end
  index(bot)
end

-- The bell tells a sender that is just leaving that a row came after its last look.
local function wake(bot, queued, id)
  redis.call('HINCRBY', 'by:send:bell', bot, 1)
  if redis.call('HEXISTS', 'by:send:own', bot) == 0 then redis.call('ZADD', 'by:send', now, bot) end
  return issue_send(bot, queued, id)
end
-- Until here for all calls of a trip, from here for each.
