# syntax=docker/dockerfile:1
# Remora as an image, for `remora provision --image` or any other container platform:
#
#     docker build -t <registry>/remora .
#     docker run --gpus all -p 7860:7860 -e REMORA_API_KEY -v <share>:/mount:ro <registry>/remora
#
# PyTorch and CUDA come with the base image; none of what is installed below depends on them.
ARG BASE=docker.io/pytorch/pytorch:2.7.1-cuda12.6-cudnn9-runtime

FROM ${BASE} AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN python3 -m pip wheel --no-deps --wheel-dir /wheels .

FROM ${BASE}
# A system's own Python refuses pip without the first; compiled files save a second of every start.
ENV PIP_BREAK_SYSTEM_PACKAGES=1 PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    --mount=type=bind,source=src/remora/container,target=/requirements \
    python3 -m pip install --compile --requirement /requirements/serve.txt \
        --requirement /requirements/front.txt \
    && python3 -m pip install --compile --no-deps /wheels/*.whl \
    && useradd --uid 10001 --create-home remora
USER 10001
WORKDIR /home/remora
ENV REMORA_SHARE=/mount
EXPOSE 7860
STOPSIGNAL SIGTERM
ENTRYPOINT ["python3", "-m", "remora.container.start"]
CMD ["serve"]
