// The same request and check for k6. Variables: URL, BODY, USERS; IDLE_S: how long a user waits after a request.
import http from "k6/http";
import exec from "k6/execution";
import { check, sleep } from "k6";

export const options = { vus: Number(__ENV.USERS), duration: "1h" };

export default function () {
  const response = http.get(__ENV.URL);
  const right = check(response, {
    "status is 200": (r) => r.status === 200,
    "body is right": (r) => r.body.includes(__ENV.BODY),
  });
  if (!right) exec.test.abort("wrong answer");
  if (__ENV.IDLE_S) sleep(Number(__ENV.IDLE_S));
}
