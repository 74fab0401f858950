# Build: the compiler, libclang for the second parser, and the sources.
FROM rust:1-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends libclang-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY config config
COPY benches benches
# Cargo.toml names tests by their paths.
COPY tests tests
RUN cargo build --release --locked --bin pgveil && strip target/release/pgveil

# Run: the binary alone, as nobody in particular.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/pgveil --create-home pgveil
COPY --from=build /src/target/release/pgveil /usr/local/bin/pgveil
USER 10001
WORKDIR /var/lib/pgveil
EXPOSE 6432 8432
ENTRYPOINT ["pgveil"]
CMD ["serve", "--config", "/etc/pgveil/pgveil.toml"]
