-- Built in.
SELECT r.oid, r.amopfamily, r.amoplefttype, r.amoprighttype, r.amopstrategy, r.amoppurpose, r.amopopr, r.amopmethod, r.amopsortfamily
FROM pg_catalog.pg_amop AS r
WHERE r.oid < 16384
