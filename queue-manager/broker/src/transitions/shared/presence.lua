-- Workers that come and go, and what that means for jobs on hold.

-- The kinds that are here, as one word.
local function kinds()
  local seen, all = {}, {}
  for _, kind in pairs(workers_here()) do
    if not seen[kind] then seen[kind] = true; all[#all + 1] = kind end
  end
  table.sort(all)
  return table.concat(all, ' ')
end

-- After any change of who is here. Kinds of workers serve fair mode at different speeds, so with another set of kinds
-- everybody starts even: debts towards a GPU that went must not starve anyone on those that stay.
local function settled_in(before_it)
  if mode() == 'fair' and kinds() ~= before_it then rebuild() end
  review(all_classes())
  announce_room('workers')
end

local function arrive(worker, kind)
  local before_it = kinds()
  redis.call('HSET', key('present'), worker, kind)
  redis.call('SADD', key('kinds'), kind)
  present = nil
  settled_in(before_it)
end

local function go(gone)
  local before_it = kinds()
  redis.call('HDEL', key('present'), unpack(gone))
  present = nil
  settled_in(before_it)
end
