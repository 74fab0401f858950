#!/bin/bash
# What a row filter's fence costs: an index look-up, a selective predicate and a join on three keys over a filtered product,
# as pgveil sends them with the fence and without it, and as somebody would write them by hand.
#
#   nice -n 19 benches/fence.sh target/release/pgveil [ROWS]
#
# It starts a private PostgreSQL (as `postgres` when run as root), and stops it at the end.
set -euo pipefail
pgveil=$(realpath "${1:?path of pgveil}")
rows=${2:-10000000}
bin=${PG_BIN:-/usr/lib/postgresql/15/bin}
port=${PORT:-12873}
dir=$(mktemp -d /tmp/pgveil-fence.XXXXXX)
as() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
serving=
finish() {
  [ -z "$serving" ] || kill "$serving" 2>/dev/null || true
  as "$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$dir"
}
trap finish EXIT
[ "$(id -u)" != 0 ] || chown postgres "$dir"
as "$bin/initdb" -D "$dir/data" -A trust -U postgres --no-sync -E UTF8 --locale=C.UTF-8 >/dev/null
as "$bin/pg_ctl" -D "$dir/data" -w -l "$dir/log" -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir \
  -c fsync=off -c shared_buffers=256MB -c work_mem=32MB -c max_wal_size=4GB -c jit=off" start >/dev/null
sql() { psql -X -q -At -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U postgres "$@"; }
sql <<SQL
CREATE TABLE orders (id bigint, customer_id bigint, region text, day date, status text, amount numeric(12,2));
INSERT INTO orders SELECT n, n * 7919 % 100000, (ARRAY['EU', 'US', 'APAC'])[1 + n % 3], date '2023-01-01' + (n % 1000)::int,
  (ARRAY['paid', 'open', 'sent'])[1 + n % 7 % 3], n % 9973 / 100.0 FROM generate_series(1, $rows::bigint) n;
ALTER TABLE orders ADD PRIMARY KEY (id);
CREATE INDEX ON orders (customer_id);
CREATE TABLE customers (id bigint PRIMARY KEY, name text);
INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 100000) n;
SQL
sql -c 'VACUUM ANALYZE'
files="$dir/files"
mkdir -p "$files/catalog"
cat >"$files/pgveil.toml" <<TOML
[server]
listen = "127.0.0.1:$((port + 1))"
[warehouses.w]
dsn = "postgres://postgres@127.0.0.1:$port/postgres?sslmode=disable"
[policy]
path = "policy.toml"
[catalog]
path = "catalog"
TOML
cat >"$files/policy.toml" <<'TOML'
[roles.analyst]
products = ["*"]
[users.ana]
certificate = "CN=ana"
roles = ["analyst"]
TOML
product() {
  printf 'id = "shop.%s"\ndomain = "shop"\nname = "%s"\ndescription = "Of the bench."\nversion = 1\nstatus = "published"\nrelation = "public.%s"\n' "$1" "$1" "$1"
  printf '[owner]\nteam = "T"\ncontact = "t@example.com"\nslack_channel = "#t"\n'
  shift
  while [ $# -gt 1 ]; do printf '[[schema]]\ncolumn = "%s"\ntype = "%s"\ndescription = "%s"\n' "$1" "$2" "$1"; shift 2; done
}
{ product orders id integer customer_id integer region string day date status string amount decimal
  printf '[[row_filters]]\nroles = ["analyst"]\nwhere = "region = '"'EU'"'"\n'; } >"$files/catalog/orders.toml"
product customers id integer name string >"$files/catalog/customers.toml"
# What pgveil knows of the tables it has asked for when it serves.
"$pgveil" serve --config "$files/pgveil.toml" >"$dir/pgveil.log" 2>&1 &
serving=$!
for _ in $(seq 300); do grep -q accepting "$dir/pgveil.log" && break; sleep 0.1; done
kill "$serving"; wait "$serving" || true; serving=
sent() { "$pgveil" explain --config "$files/pgveil.toml" --user ana --format json "$1" | python3 -c '
import json, sys
found = []
def look(value):
    if isinstance(value, dict):
        found.extend(text for key, text in value.items() if key in ("forwarded", "sql") and isinstance(text, str) and "\"public\"" in text)
        list(map(look, value.values()))
    elif isinstance(value, list):
        list(map(look, value))
look(json.load(sys.stdin))
print(found[0])'; }
# The median of the execution and planning time of nine runs, in milliseconds.
took() { for _ in 1 2 3 4 5 6 7 8 9; do sql -c "EXPLAIN (ANALYZE, TIMING off, SUMMARY on) $1" |
  awk '/^(Planning|Execution) Time/ { sum += $3 } END { print sum }'; done | sort -n | sed -n 5p; }
printf '%-22s %12s %12s %12s\n' "$rows rows, ms" fenced "left out" by-hand
# What it is called, the client's text, the same over the tables by hand, and with pgveil's fence.
compare() {
  local out
  out=$(sent "$2")
  case "$out" in *'OFFSET 0'*) echo "fenced: $out" >&2; exit 1 ;; esac
  printf '%-22s %12s %12s %12s\n' "$1" "$(took "$4")" "$(took "$out")" "$(took "$3")"
}
fenced="(SELECT id, customer_id, day, status, amount FROM orders WHERE region = 'EU' OFFSET 0)"
compare 'index look-up' "SELECT amount FROM shop.orders WHERE id = 4710" \
  "SELECT amount FROM orders WHERE id = 4710 AND region = 'EU' LIMIT 10001" \
  "SELECT amount FROM $fenced o WHERE id = 4710 LIMIT 10001"
compare 'selective predicate' \
  "SELECT id, amount FROM shop.orders WHERE customer_id = 77 AND day BETWEEN '2024-01-01' AND '2024-06-30' AND status IN ('paid', 'open')" \
  "SELECT id, amount FROM orders WHERE customer_id = 77 AND day BETWEEN '2024-01-01' AND '2024-06-30' AND status IN ('paid', 'open') AND region = 'EU' LIMIT 10001" \
  "SELECT id, amount FROM $fenced o WHERE customer_id = 77 AND day BETWEEN '2024-01-01' AND '2024-06-30' AND status IN ('paid', 'open') LIMIT 10001"
compare 'join on three keys' \
  "SELECT c.name, o.id, o.amount FROM shop.customers c JOIN shop.orders o ON o.customer_id = c.id WHERE c.id IN (3, 33, 333)" \
  "SELECT c.name, o.id, o.amount FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.id IN (3, 33, 333) AND o.region = 'EU' LIMIT 10001" \
  "SELECT c.name, o.id, o.amount FROM customers c JOIN $fenced o ON o.customer_id = c.id WHERE c.id IN (3, 33, 333) LIMIT 10001"
