# The server and the command line. Debian, not Alpine: schedules are computed with the C library's
# mathematics, and musl's differs from glibc's, which trainers have, in the last bit.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/lrkeeper \
 && /opt/lrkeeper/bin/pip install --no-cache-dir --constraint constraints.txt '.[server,cli]'

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --no-create-home --home-dir /var/lib/lrkeeper --shell /usr/sbin/nologin lrkeeper \
 && install --directory --owner=lrkeeper --group=lrkeeper --mode=0700 /var/lib/lrkeeper
COPY --from=build /opt/lrkeeper /opt/lrkeeper
ENV PATH=/opt/lrkeeper/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LRKEEPER_DATABASE_URL=sqlite:////var/lib/lrkeeper/lrkeeper.sqlite3 \
    LRKEEPER_SERVER=127.0.0.1:50051
USER 10001:10001
VOLUME /var/lib/lrkeeper
EXPOSE 50051
# A call as a client makes it; what it says is kept for `docker inspect`.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["lrkeeper", "doctor"]
ENTRYPOINT ["lrkeeper"]
# Reachable only from inside: for other containers add --listen 0.0.0.0:50051 --insecure.
CMD ["serve"]
