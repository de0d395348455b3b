# Unverified: linted, never built by us.
FROM python:3.12-slim AS wheels

WORKDIR /source
COPY requirements.txt ./
# The last line of the pins, `-e .`, is the project itself: it becomes a wheel of its own below.
RUN grep -v '^-e' requirements.txt > /tmp/pinned.txt \
    && pip wheel --no-cache-dir --no-deps --wheel-dir /wheels --requirement /tmp/pinned.txt
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .


FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

RUN groupadd --system --gid 10001 botyard \
    && useradd --system --uid 10001 --gid botyard --no-create-home --home-dir /app botyard

RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --no-deps /wheels/*.whl

# A volume that is mounted here for the first time takes over its owner.
RUN install -d -o botyard -g botyard -m 0700 /var/lib/botyard/media

# For the `alembic` command; `botyard migrate` brings its own.
WORKDIR /app
COPY alembic.ini ./
COPY db/migrations db/migrations

USER 10001:10001
EXPOSE 8080
CMD ["botyard", "--help"]
