# The serving image, without torch. Training runs where the data is, not on the line; EXTRAS=train makes the worker's image.
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY inspect inspect
COPY datasets datasets
COPY training training
COPY serving serving
COPY configs configs
ARG EXTRAS=postgres,s3,otel,oidc
RUN python -m venv /opt/trialsight \
    && /opt/trialsight/bin/pip install --no-cache-dir --disable-pip-version-check ".[${EXTRAS}]"

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 trialsight \
    && install --directory --owner=10001 --group=10001 /data
COPY --from=build /opt/trialsight /opt/trialsight
ENV PATH=/opt/trialsight/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TRIALSIGHT_HOME=/data
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
# Open to the network, so every call needs a key; `trialsight bootstrap` makes the first ones.
CMD ["trialsight", "serve", "--host", "0.0.0.0", "--port", "8000"]
