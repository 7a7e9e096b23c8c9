# A small image that runs `moq-relay /app/relay.toml` as a user without any rights.
#   docker build --tag moq-relay .
#   docker run --publish 4443:4443/udp --publish 4443:4443/tcp --volume "$PWD:/app:ro" moq-relay

FROM rust:1-slim-bookworm AS build
# The allocator is built with it.
RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -r /var/lib/apt/lists/*
WORKDIR /src
# .dockerignore lets in only what the relay is built from.
COPY . .
# Line numbers are most of the program's size; the names in a backtrace stay.
ENV CARGO_PROFILE_RELEASE_STRIP=debuginfo
RUN cargo build --locked --release --bin moq-relay

FROM debian:bookworm-slim
COPY --from=build /src/target/release/moq-relay /usr/local/bin/
# Paths in the configuration are relative to this folder.
WORKDIR /app
USER 10001:10001
EXPOSE 4443/udp 4443/tcp
ENTRYPOINT ["moq-relay"]
CMD ["/app/relay.toml"]
