# One image for every role: the bundled service, Locust's master, workers and the one-shot run.
FROM python:3.12-slim

RUN useradd --create-home --uid 10001 plimsoll
WORKDIR /plimsoll

COPY pyproject.toml constraints.txt README.md ./
COPY locustfiles locustfiles
COPY plimsoll plimsoll
COPY profiles profiles
COPY reports reports
COPY shapes shapes
COPY service service
RUN pip install --no-cache-dir --root-user-action=ignore -c constraints.txt -e '.[service]' \
    && install -d -o plimsoll results

USER plimsoll
EXPOSE 8000 8089 5557
CMD ["locust"]
