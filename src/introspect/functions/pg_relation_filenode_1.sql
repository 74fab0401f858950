-- Where a relation lies is the warehouse's affair.
SELECT NULL::pg_catalog.oid
