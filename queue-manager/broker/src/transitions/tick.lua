-- Notes how things stand, as often as somebody looks: what the GPUs did since the last look, and once a minute a line
-- for the charts. Ends a demonstration whose time is over, and sessions that were to end by now.
-- With doors
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] lines to keep
-- Answers ticked

local last = tonumber(redis.call('GET', key('ticked')) or whole(now))
redis.call('SET', key('ticked'), whole(now))
-- Of an outage nobody knows what the GPUs did.
local since = math.max(math.min(now - last, 10000), 0)
-- Everyone who was heard of within a minute: a GPU that takes nothing more is paid for all the same.
local here = redis.call('ZCOUNT', key('workers'), whole(now - 60000), '+inf')
local leases = redis.call('ZCARD', key('leases'))
local busy = math.min(leases, here)
local minute = key('minute')
local total = key('tally', '@')
for name, ms in pairs({ busy_ms = busy * since, ready_ms = here * since }) do
  if ms > 0 then
    redis.call('HINCRBY', minute, name, whole(ms))
    redis.call('HINCRBY', total, name, whole(ms))
  end
end
if here > 0 and leases == 0 then
  redis.call('SET', key('idle-since'), whole(now), 'NX')
else
  redis.call('DEL', key('idle-since'))
end

local at = whole(math.floor(now / 60000))
local current = redis.call('HGET', minute, 'at')
if not current then redis.call('HSET', minute, 'at', at) end
if current and current ~= at then
  local waits = redis.call('LRANGE', key('waits'), 0, -1)
  for i, wait in ipairs(waits) do waits[i] = tonumber(wait) end
  table.sort(waits)
  local function part(of) return #waits > 0 and whole(waits[math.max(math.ceil(#waits * of), 1)]) or '' end
  local line = { at = current, workers = whole(here), running = whole(leases), wait_p50 = part(0.5), wait_p95 = part(0.95),
    pending = redis.call('HGET', key('counts'), 'pending') or '0' }
  for _, name in ipairs({ 'busy_ms', 'ready_ms', 'submitted', 'completed', 'failed', 'cancelled' }) do
    line[name] = redis.call('HGET', minute, name) or '0'
  end
  redis.call('LPUSH', key('minutes'), cjson.encode(line))
  redis.call('LTRIM', key('minutes'), 0, tonumber(ARGV[2]) - 1)
  redis.call('DEL', minute, key('waits'))
  redis.call('HSET', minute, 'at', at)
end

local till = setting('demo', ''):match('^%S+ (%S+) %S+$')
if till and now >= tonumber(till) then
  redis.call('HDEL', key('settings'), 'demo')
  announce_room('settings')
end

for _, account in ipairs(redis.call('ZRANGEBYSCORE', key('signing-out'), '-inf', whole(now), 'LIMIT', 0, 100)) do
  sign_out(account)
  announce_room('accounts')
end
return { 'ticked' }
