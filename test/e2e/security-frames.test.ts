import { describe, expect, test } from "bun:test";
import { closeContent, type FrameParts, makeFrame, type ReadFrame, readFrames, someMask } from "../support/frames.ts";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { handshake } from "../support/handshake.ts";
import { friendly, ScriptedBackend } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";

const claims = (length: bigint, lengthForm: 16 | 64 = 64): FrameParts => ({ opcode: 2, claims: length, lengthForm });
const utf8 = (...bytes: number[]): FrameParts => ({ opcode: 8, payload: Buffer.from([0x03, 0xe8, ...bytes]) });

/** Frames that nobody may send, and the code of the Close that answers them. */
const violations: readonly (readonly [says: string, frame: FrameParts, code: number])[] = [
  ["S17: a length of 2^53", claims(2n ** 53n), 1009],
  ["S17: a length of 2^63-1", claims(2n ** 63n - 1n), 1009],
  ["S17: a length of 2^63", claims(2n ** 63n), 1002],
  ["S17: a length of 2^64-1", claims(2n ** 64n - 1n), 1002],
  ["S17: 125 written in 16 bits", claims(125n, 16), 1002],
  ["S17: 65535 written in 64 bits", claims(65_535n), 1002],
  ["S17: 0 written in 64 bits", claims(0n), 1002],
  ["S17: a ping of 126 bytes", { opcode: 9, payload: Buffer.alloc(126) }, 1002],
  ["S17: a Close of 126 bytes", { opcode: 8, payload: closeContent(1000, "x".repeat(124)) }, 1002],
  ["S17: a ping whose length is written in 64 bits", { opcode: 9, claims: 5n, lengthForm: 64 }, 1002],
  ["S17: a ping in fragments", { opcode: 9, isFinal: false }, 1002],
  ...[3, 7, 11, 15].map((opcode) => [`S17: the reserved opcode ${opcode}`, { opcode }, 1002] as const),
  ...[0x40, 0x20, 0x10].map(
    (reserved) => [`S17: the reserved bit ${reserved.toString(16)}`, { opcode: 1, reserved }, 1002] as const,
  ),
  ["S17: a continuation of nothing", { opcode: 0 }, 1002],
  ["S17: a Close of one byte", { opcode: 8, payload: "\x03" }, 1002],
  ["S17: a Close with 1005", { opcode: 8, payload: closeContent(1005) }, 1002],
  ["S17: a Close with 65535", { opcode: 8, payload: closeContent(65_535) }, 1002],
  ["S17: a reason that is not UTF-8", utf8(0xc3, 0x28), 1007],
];

/** A session with both of its ends, and a healthy one beside it. */
async function open() {
  const backend = ScriptedBackend.open(friendly);
  const gateway = GatewayFixture.open({ to: [backend], route: { keepalive: { ping: "off" } } });
  const client = await gateway.connect();
  const upstream = await openOn(gateway, backend, client);
  const healthy = await gateway.connect();
  const healthyUpstream = await openOn(gateway, backend, healthy);
  return {
    client,
    upstream,
    gateway,
    async checkHealthy() {
      healthy.write(makeFrame({ opcode: 1, payload: "well", mask: someMask }));
      await healthyUpstream.until(() => framesOf(healthyUpstream.rest).length === 1);
      expect(gateway.gateway.sessions.size).toBe(1);
    },
    async [Symbol.asyncDispose]() {
      client.reset();
      healthy.reset();
      await gateway[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
    },
  };
}

async function openOn(
  gateway: GatewayFixture,
  backend: ScriptedBackend,
  client: Awaited<ReturnType<GatewayFixture["connect"]>>,
) {
  const before = gateway.gateway.sessions.size;
  client.write(handshake());
  expect((await client.response()).status).toBe(101);
  await until(() => gateway.gateway.sessions.size === before + 1);
  return backend.connection(before);
}

/** Whole frames; anything else after them is a mistake. */
function framesOf(bytes: Uint8Array): ReadFrame[] {
  const { frames, rest } = readFrames(bytes);
  expect(rest.length).toBe(0);
  return frames;
}

const good = { opcode: 1, payload: "good" } as const;

for (const [says, parts, code] of violations) {
  describe(says, () => {
    test(`${says} from a client is answered with ${code} and never passed on`, async () => {
      await using session = await open();
      const { client, upstream } = session;
      const frames = [good, parts, good].map((frame) => makeFrame({ ...frame, mask: someMask }));
      client.write(Buffer.concat(frames));
      await client.untilEnd();
      expect(framesOf(client.received)).toMatchObject([{ opcode: 8, code }]);
      await upstream.until(() => framesOf(upstream.rest).length === 2);
      expect(framesOf(upstream.rest)).toMatchObject([
        { opcode: 1, isMasked: true },
        { opcode: 8, code: 1001 },
      ]);
      client.reset();
      upstream.end();
      await until(() => session.gateway.gateway.sessions.size === 1);
      await session.checkHealthy();
    });

    test(`${says} from an upstream ends its session alone, and the client gets 1014`, async () => {
      await using session = await open();
      const { client, upstream } = session;
      upstream.write(Buffer.concat([good, parts, good].map((frame) => makeFrame(frame))));
      await until(() => framesOf(client.received).length === 2);
      expect(framesOf(client.received)).toMatchObject([
        { opcode: 1, isMasked: false },
        { opcode: 8, code: 1014 },
      ]);
      await upstream.until(() => framesOf(upstream.rest).length === 1);
      expect(framesOf(upstream.rest)).toMatchObject([{ opcode: 8, code, isMasked: true }]);
      client.reset();
      upstream.end();
      await until(() => session.gateway.gateway.sessions.size === 1);
      await session.checkHealthy();
    });
  });
}

describe("S19: masking", () => {
  for (const opcode of [1, 2, 8, 9, 10]) {
    test(`S19: an unmasked frame with opcode ${opcode} from a client is answered with 1002 and never passed on`, async () => {
      await using session = await open();
      const { client, upstream } = session;
      client.write(makeFrame({ opcode, payload: opcode === 8 ? closeContent(1000) : "evil" }));
      await client.untilEnd();
      expect(framesOf(client.received)).toMatchObject([{ opcode: 8, code: 1002 }]);
      await upstream.until(() => framesOf(upstream.rest).length === 1);
      expect(framesOf(upstream.rest)).toMatchObject([{ opcode: 8, code: 1001 }]);
    });
  }

  test("S19: a masked frame from an upstream is never passed on", async () => {
    await using session = await open();
    const { client, upstream } = session;
    upstream.write(makeFrame({ opcode: 1, payload: "evil", mask: someMask }));
    await until(() => framesOf(client.received).length === 1);
    expect(framesOf(client.received)).toMatchObject([{ opcode: 8, code: 1014 }]);
    await upstream.until(() => framesOf(upstream.rest).length === 1);
    expect(framesOf(upstream.rest)).toMatchObject([{ opcode: 8, code: 1002 }]);
  });

  test("S19: what a client hides in a frame reaches the upstream masked, as the client masked it", async () => {
    await using session = await open();
    const { client, upstream } = session;
    const frame = makeFrame({ opcode: 2, payload: "GET /admin HTTP/1.1\r\n\r\n", mask: someMask });
    client.write(frame);
    await upstream.until(() => upstream.rest.length === frame.length);
    expect(upstream.rest.equals(frame)).toBe(true);
  });
});

test("S17: a length of 2^31 is a length like any other", async () => {
  await using session = await open();
  const { client, upstream } = session;
  client.write(makeFrame({ ...claims(2n ** 31n), mask: someMask })).write(Buffer.alloc(100_000));
  await upstream.until(() => upstream.rest.length === 14 + 100_000);
  expect(client.text).toBe("");
});
