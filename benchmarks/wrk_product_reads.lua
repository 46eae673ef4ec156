-- Reads random products. Arguments: PRODUCTS.
dofile("wrk_summary.lua")

function init(arguments)
  products = tonumber(arguments[1])
  math.randomseed(1)
end

function request()
  return wrk.format("GET", "/api/products/" .. math.random(1, products))
end
