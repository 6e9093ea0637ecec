-- Who is next for a worker: the smallest tag over the classes it can run, group by group. Shared by claim and peek.

-- A job that went down with a worker goes to another one for a minute, where another can run it.
local function avoids(id, needs, worker)
  local whom, till = (redis.call('HGET', key('avoid'), id) or ''):match('^(%S+) (%S+)$')
  if whom ~= worker or now >= tonumber(till) then return false end
  for other, kind in pairs(workers_here()) do
    if other ~= worker and can(kind, needs) == '1' then return true end
  end
  return false
end

-- First of one class: almost always the first entry; behind it only past jobs that avoid this worker.
local function first_of(group, needs, worker, avoiding)
  local turns = redis.call('ZRANGE', key('turns', group.name, needs), 0, avoiding and 15 or 0, 'WITHSCORES')
  for i = 1, #turns, 2 do
    local first = { group = group, needs = needs, member = turns[i], tag = tonumber(turns[i + 1]),
      participant = turns[i]:sub(17), joined = tonumber(turns[i]:sub(1, 16)) }
    if not avoiding then return first end
    if not avoids(head_of(group, first.participant).id, needs, worker) then return first end
  end
  -- So many that nobody should wait for another worker any longer.
  if #turns == 32 then
    return { group = group, needs = needs, member = turns[1], tag = tonumber(turns[2]),
      participant = turns[1]:sub(17), joined = tonumber(turns[1]:sub(1, 16)) }
  end
end

-- The next participant for this worker, or nil with the classes it has not been taught (id, json, …).
local function choose(worker, kind)
  local avoiding = redis.call('EXISTS', key('avoid')) == 1
  for _, group in ipairs(groups()) do
    if group.name ~= 'instructor' and setting('paused', '0') == '1' then return nil, {} end
    local classes = redis.call('SMEMBERS', key('classes', group.name))
    local unknown = unknown_to(kind, classes)
    if #unknown > 0 then return nil, unknown end
    local best
    for _, needs in ipairs(classes) do
      local first = can(kind, needs) == '1' and first_of(group, needs, worker, avoiding)
      if first and (not best or first.tag < best.tag or (first.tag == best.tag and first.member < best.member)) then
        best = first
      end
    end
    if best then return best end
  end
  return nil, {}
end
