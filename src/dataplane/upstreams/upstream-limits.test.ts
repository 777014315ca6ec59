import { expect, test } from "bun:test";
import { snapshotOf } from "../../../test/support/gateway-fixture.ts";
import { blankHead, blankRegion, SharedMemory, sharedBytes, usedRegionsAt } from "../../kit/shared-memory.ts";
import { Upstream } from "./upstream.ts";

/** The same upstream in two workers. */
function workers(upstream: object): [Upstream<never>, Upstream<never>] {
  const shape = { regions: 2, entries: 64, buckets: 64 };
  const bytes = new Uint8Array(sharedBytes(shape));
  bytes.set(blankHead(shape, 7));
  for (const region of [0, 1]) {
    const blank = blankRegion(shape, region);
    bytes.set(blank.bytes, blank.at);
  }
  new Int32Array(bytes.buffer)[usedRegionsAt / 4] = 2;
  const [settings] = snapshotOf({ upstream }).upstreams;
  if (settings === undefined) throw new Error("there is no upstream");
  const open = (region: number) => {
    return new Upstream<never>(settings, { memory: SharedMemory.of(bytes, { region, clockOffsetMs: 0 }) });
  };
  return [open(0), open(1)];
}

const refusal = { code: "upstream_full", status: 503 };

function refused(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}

test("the limits of an upstream are those of all workers together", () => {
  const [one, two] = workers({ endpoints: ["a:1", "b:1"], limits: { sessions: 2, requests: 1 } });
  const first = one.lease("sessions", 0);
  two.lease("sessions", 0);
  expect(refused(() => one.lease("sessions", 0))).toMatchObject(refusal);
  expect(refused(() => two.lease("sessions", 0))).toMatchObject(refusal);
  two.lease("requests", 0);
  expect(refused(() => one.lease("requests", 0))).toMatchObject(refusal);
  first[Symbol.dispose]();
  two.lease("sessions", 0);
  expect(one.refusals).toEqual({ sessions: 1, requests: 1, connects: 0 });
});

test("those of an endpoint as well: one that is full in another worker is passed over", () => {
  const [one, two] = workers({ endpoints: ["a:1", "b:1"], balance: "round-robin", endpointLimits: { sessions: 1 } });
  const lent = [one.lease("sessions", 0), two.lease("sessions", 0)].map(({ endpoint }) => endpoint.address);
  expect(lent.sort()).toEqual(["a:1", "b:1"]);
  expect(refused(() => two.lease("sessions", 0))).toMatchObject(refusal);
});
