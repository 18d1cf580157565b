# The server in an image of its own: docker build --tag metrics .
# Compiling DuckDB takes half an hour on two cores the first time; the cache mounts keep it.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ make pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --package metrics-cli \
    && install -D target/release/metrics-cli /out/metrics-cli

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libstdc++6 tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/metrics --create-home metrics \
    && install --directory --owner metrics --group metrics /var/lib/metrics/backups
COPY --from=build /out/metrics-cli /usr/local/bin/metrics-cli
USER 10001:10001
WORKDIR /var/lib/metrics
VOLUME /var/lib/metrics
EXPOSE 8080
ENV METRICS_DB=/var/lib/metrics/metrics.duckdb \
    METRICS_LOG_FORMAT=json
# SIGTERM: finish requests, commit what is queued, close the store.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 \
    CMD ["metrics-cli", "health", "--url", "http://127.0.0.1:8080"]
ENTRYPOINT ["metrics-cli"]
# Inside a container 127.0.0.1 is the container alone. Who reaches the port is the publishing's business (and that of
# tokens): publish it as 127.0.0.1:8080:8080 unless others are meant to reach it.
CMD ["serve", "--listen", "0.0.0.0:8080", "--insecure"]
