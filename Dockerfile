# The image that pods of a real cluster run: services, broker and load workers are all this one program.
#   docker build -t brownout:dev .

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The base image brings gcc, g++ and make, which librdkafka, SQLite and aws-lc are built with.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --package brownout --config profile.release.strip=true \
    && cp target/release/brownout /brownout

# The same Debian as above, for its libc, libm and libgcc. Nothing else is needed: pods speak plain HTTP to each other, so no
# certificates; probes are HTTP and TCP, so no shell.
FROM debian:bookworm-slim
COPY --from=build /brownout /bin/brownout
# By number, so that a cluster can check runAsNonRoot. The broker writes to /tmp/kafka, everything else to memory.
USER 65532:65532
ENTRYPOINT ["/bin/brownout"]
