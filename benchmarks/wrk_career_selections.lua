-- Selects careers, each student another one every time. Arguments: TOKENS_FILE CAREERS FIRST_OFFSET.
-- The file has one token a line, the n-th of student n. Offsets count careers from where a student's seeded
-- choices end, so that no selection repeats one of the last five days.
dofile("wrk_summary.lua")

function init(arguments)
  headers = {}
  for token in io.lines(arguments[1]) do
    headers[#headers + 1] = { Authorization = "Bearer " .. token, ["Content-Type"] = "application/json" }
  end
  careers, first_offset, sent = tonumber(arguments[2]), tonumber(arguments[3]), 0
end

function request()
  local student = sent % #headers + 1
  local career = (student * 7 + first_offset + math.floor(sent / #headers)) % careers + 1
  sent = sent + 1
  return wrk.format("POST", "/api/v1/students/" .. student .. "/careers/select", headers[student],
    '{"careerId": ' .. career .. '}')
end
