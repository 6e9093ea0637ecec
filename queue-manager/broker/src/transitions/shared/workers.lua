-- Which workers are here and what they can run. A kind is the hash of a worker's object_info; what a kind can run is
-- taught once per class of needs.

-- An idle worker refreshes its entry every 5 s; an entry older than this belongs to a link that is gone.
local IDLE_FOR = 15000

-- Worker → kind of all that may claim: here, and not draining. Read once.
local present
local function workers_here()
  if not present then
    present = {}
    local all = redis.call('HGETALL', key('present'))
    for i = 1, #all, 2 do present[all[i]] = all[i + 1] end
  end
  return present
end

-- '1' can, '0' cannot, nil: nobody has said yet.
local taught = {}
local function can(kind, needs)
  local name = kind .. needs
  if taught[name] == nil then taught[name] = redis.call('HGET', key('can', kind), needs) end
  return taught[name] or nil
end

-- Whether a job with these needs is worth its place in line. With nobody here at all it is: it waits for the first.
local function runnable(needs)
  local anyone = false
  for _, kind in pairs(workers_here()) do
    if can(kind, needs) ~= '0' then return true end
    anyone = true
  end
  return not anyone
end

-- '1' where a kind that is here has not been taught about these needs.
local function untaught(needs)
  for _, kind in pairs(workers_here()) do
    if not can(kind, needs) then return '1' end
  end
  return ''
end

-- Names one idle worker that can run these needs; all of whom nobody knows, when no other can.
local function wake(needs)
  local idle = redis.call('ZRANGE', key('idle'), 0, -1, 'WITHSCORES')
  local unknown = {}
  for i = 1, #idle, 2 do
    local worker = idle[i]
    local kind = workers_here()[worker]
    if tonumber(idle[i + 1]) < now - IDLE_FOR then
      redis.call('ZREM', key('idle'), worker)
    elseif kind and can(kind, needs) == '1' then
      redis.call('ZREM', key('idle'), worker)
      redis.call('PUBLISH', key('workers'), cjson.encode({ wake = worker }))
      return
    elseif kind and not can(kind, needs) then
      unknown[#unknown + 1] = worker
    end
  end
  for _, worker in ipairs(unknown) do redis.call('PUBLISH', key('workers'), cjson.encode({ wake = worker })) end
end

local function wake_everyone()
  for _, worker in ipairs(redis.call('ZRANGE', key('idle'), 0, -1)) do
    redis.call('PUBLISH', key('workers'), cjson.encode({ wake = worker }))
  end
end

-- Classes among these that nobody has yet told about this kind: id, json, id, json … At most 50 at a time.
local function unknown_to(kind, classes)
  local answer = {}
  for _, needs in ipairs(classes) do
    if not can(kind, needs) and #answer < 100 then
      answer[#answer + 1] = needs
      answer[#answer + 1] = redis.call('HGET', key('needs'), needs) or '{}'
    end
  end
  return answer
end
