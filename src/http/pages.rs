//! Pages for people. What the catalog holds is shown to nobody who has not logged in.

/// The front page.
pub fn front() -> &'static str {
    concat!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>pgveil</title>\n",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem;color:#222}",
        "code{background:#f2f2f2;padding:.1em .3em}</style></head>\n",
        "<body><h1>pgveil ",
        env!("CARGO_PKG_VERSION"),
        "</h1>\n",
        "<p>This is the HTTP side of a governance proxy for Postgres. Data products are queried with SQL: point psql, a BI \
         tool or a driver at pgveil's own port, with your user name and the warehouse as the database.</p>\n",
        "<p><code>psql \"host=HOST port=6432 dbname=WAREHOUSE user=YOU\"</code></p>\n",
        "<p>Your data team tells you host, port, warehouse and password, and which products you may query. A statement that \
         policy does not allow is answered with the reason and with whom to ask.</p>\n",
        "<p>For operators: <a href=\"/healthz\">/healthz</a> (the process is alive), <a href=\"/readyz\">/readyz</a> (it can \
         serve statements), <a href=\"/metrics\">/metrics</a> (Prometheus).</p>\n",
        "</body></html>\n",
    )
}
