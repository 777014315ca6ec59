import { expect, test } from "bun:test";
import { sampleConfiguration } from "../../test/support/fake-view.ts";
import type { Configuration } from "../core/configuration.ts";
import { checkPorts } from "./port-check.ts";

const host = "127.0.0.1";

function wanting(port: number, adminPort = 0): Configuration {
  const listeners = sampleConfiguration.model.listeners.map((listener) => ({ ...listener, name: "web", host, port }));
  const admin = { ...sampleConfiguration.settings.admin, host, port: adminPort };
  return {
    model: { ...sampleConfiguration.model, listeners },
    settings: { ...sampleConfiguration.settings, admin },
  };
}

/** Another gateway, which shares its port as every gateway does. */
function otherGateway() {
  const options = { hostname: host, port: 0, reusePort: true };
  return Bun.listen({ ...options, socket: { data() {} } });
}

test("a port that another gateway shares is an error that says what to do", async () => {
  using other = otherGateway();
  expect(await checkPorts(wanting(other.port), [])).toEqual([
    {
      severity: "error",
      at: { source: "configuration", path: "listeners.web.address" },
      says: `cannot listen on 127.0.0.1:${other.port}: somebody else listens there`,
      try: "choose another port, or end the program that has it",
    },
  ]);
});

test("a port of this gateway itself is no error, under whatever address of the machine", async () => {
  using own = otherGateway();
  expect(await checkPorts(wanting(own.port), [{ host: "0.0.0.0", port: own.port }])).toEqual([]);
});

test("the admin address is tried as well, and both errors are told", async () => {
  using other = otherGateway();
  const issues = await checkPorts(wanting(other.port, other.port), []);
  expect(issues.map(({ at }) => at.path)).toEqual(["admin.address", "listeners.web.address"]);
});

test("a port that the kernel chooses is never taken", async () => {
  expect(await checkPorts(wanting(0), [])).toEqual([]);
});
