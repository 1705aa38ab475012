# Inkling's chat: Debian's Python, PyTorch for processors, no compiler, no root. docs/deploy.md says
# how it is run; where there is no Docker, `make image-check` goes through these steps one by one.
FROM debian:bookworm-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 inkling

# The packages first: they change more rarely than the program.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY requirements.txt deploy/packages.py /srv/packages/
RUN python3 -m venv /srv/venv \
    && PIP_NO_CACHE_DIR=1 /srv/venv/bin/python /srv/packages/packages.py --gpu 0 /srv/packages/requirements.txt
ENV PATH=/srv/venv/bin:$PATH \
    PYTHONUNBUFFERED=1

# The program stays root's; its user's is what is written while it runs.
WORKDIR /srv/inkling
COPY . .
RUN python -m compileall -q . \
    && install -d -o inkling -g inkling .chainlit/translations .files runs \
    /home/inkling/.cache /home/inkling/models /home/inkling/stories
USER inkling

# From here on a Space has lines of its own (train/hub/space.py).
ENV INKLING_HOME=/home/inkling/stories \
    INKLING_MODELS=/home/inkling/models
VOLUME ["/home/inkling/stories", "/home/inkling/models", "/home/inkling/.cache", "/srv/inkling/runs"]
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from http.client import HTTPConnection; c = HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/health'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["python", "-m", "frontend.start", "run", "app.py", "--headless", "--host", "0.0.0.0", "--port", "8000"]
