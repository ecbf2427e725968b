# One image for both services and every command: docker run IMAGE line-provider, bet-maker, verify, ...

FROM python:3.13-slim AS dependencies
RUN python -m venv --without-pip /opt/stakeline
COPY requirements-run.lock .
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/stakeline/bin/python install --only-binary :all: --require-hashes \
        -r requirements-run.lock

FROM python:3.13-slim AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN --mount=type=cache,target=/root/.cache/pip pip wheel --no-deps --wheel-dir /wheel .

FROM python:3.13-slim
RUN useradd --uid 10001 --user-group --home-dir /var/lib/stakeline --create-home \
        --shell /usr/sbin/nologin stakeline
# The dependencies are a layer of their own, so that a change of the source sends and keeps little.
COPY --from=dependencies /opt/stakeline /opt/stakeline
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    pip --python /opt/stakeline/bin/python install --no-deps --no-index --no-cache-dir /wheel/*.whl
ENV PATH=/opt/stakeline/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/stakeline
STOPSIGNAL SIGTERM
ENTRYPOINT ["stakeline"]
