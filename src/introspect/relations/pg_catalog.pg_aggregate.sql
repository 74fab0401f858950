-- Built in aggregates.
SELECT r.aggfnoid, r.aggkind, r.aggnumdirectargs, r.aggtransfn, r.aggfinalfn, r.aggcombinefn, r.aggserialfn, r.aggdeserialfn, r.aggmtransfn,
  r.aggminvtransfn, r.aggmfinalfn, r.aggfinalextra, r.aggmfinalextra, r.aggfinalmodify, r.aggmfinalmodify, r.aggsortop, r.aggtranstype,
  r.aggtransspace, r.aggmtranstype, r.aggmtransspace, r.agginitval, r.aggminitval
FROM pg_catalog.pg_aggregate AS r
WHERE r.aggfnoid < 16384
