import { expect, test } from "bun:test";
import { closeContent, makeFrame, readFrames, someMask } from "../support/frames.ts";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { handshake } from "../support/handshake.ts";
import { Random } from "../support/random.ts";
import { friendly, ScriptedBackend } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";

const random = new Random(22);

/** One side of a session that sends fragmented messages piece by piece, and answers a Close once its own frame is whole. */
class Talker {
  /** All that was written, as far as whole frames go. */
  sent: Buffer = Buffer.alloc(0);
  isDone = false;
  #pieces: Uint8Array[] = [];
  #fragment = 0;
  readonly #write: (bytes: Uint8Array) => unknown;
  readonly #received: () => Buffer;
  readonly #mask: Uint8Array | undefined;

  constructor(options: { write: (bytes: Uint8Array) => unknown; received: () => Buffer; mask?: Uint8Array }) {
    this.#write = options.write;
    this.#received = options.received;
    this.#mask = options.mask;
  }

  get frames() {
    return readFrames(this.#received());
  }

  step(): void {
    if (this.isDone) return;
    const end = this.frames.frames.at(-1);
    if (end?.opcode === 8) return this.#answer(end.code ?? 1005);
    if (this.#pieces.length === 0) this.#begin();
    const piece = this.#pieces.shift();
    if (piece !== undefined) this.#write(piece);
  }

  #begin(): void {
    const opcode = this.#fragment++ % 5 === 0 ? 2 : 0;
    const payload = random.bytes(random.below(400));
    this.#pieces = random.cut(this.#frame({ opcode, payload, isFinal: this.#fragment % 5 === 0 }), 150);
    this.sent = Buffer.concat([this.sent, ...this.#pieces]);
  }

  #answer(code: number): void {
    for (const piece of this.#pieces) this.#write(piece);
    this.#write(this.#frame({ opcode: 8, payload: closeContent(code) }));
    this.isDone = true;
  }

  #frame(parts: Parameters<typeof makeFrame>[0]): Buffer {
    return makeFrame({ ...parts, ...(this.#mask === undefined ? {} : { mask: this.#mask }) });
  }
}

test("AC-2.2: in the middle of fragmented messages both ways, every side gets 1012 between two frames and loses nothing before it", async () => {
  const count = 150;
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ to: [backend] });
  const pairs: { readonly client: Talker; readonly upstream: Talker; readonly end: () => void }[] = [];
  for (let at = 0; at < count; at++) {
    const socket = await fixture.connect();
    expect((await socket.write(handshake()).response()).status).toBe(101);
    const connection = await backend.connection(at);
    const client = new Talker({
      write: (bytes) => socket.write(bytes),
      received: () => socket.received,
      mask: someMask,
    });
    const upstream = new Talker({ write: (bytes) => connection.write(bytes), received: () => connection.rest });
    const end = () => {
      if (socket.hasEnded) socket.end();
      if (upstream.isDone) connection.end();
    };
    pairs.push({ client, upstream, end });
  }
  const steps = () => {
    for (const { client, upstream, end } of pairs) {
      client.step();
      upstream.step();
      end();
    }
  };
  for (let warm = 0; warm < 10; warm++) steps();
  const drained = fixture.gateway.drain({ windowMs: 400, graceMs: 8000, code: 1012, reason: "" });
  await until(() => {
    steps();
    return fixture.gateway.sessions.size === 0;
  }, 8000);
  expect(await drained).toEqual({ closed: count, destroyed: 0 });
  for (const { client, upstream } of pairs) {
    for (const [side, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      const { frames, rest } = side.frames;
      expect([rest.length, frames.at(-1)?.code]).toEqual([0, 1012]);
      const data = frames.slice(0, -1);
      expect(data.every((frame) => frame.opcode === 2 || frame.opcode === 0)).toBe(true);
      const whole = readFrames(other.sent).frames.slice(0, data.length);
      expect(data.map((frame) => frame.payload.toString("hex"))).toEqual(
        whole.map((frame) => frame.payload.toString("hex")),
      );
    }
  }
  // The moments differ, so some closes came inside a message, between its fragments.
  const unfinished = pairs.filter(({ client }) => client.frames.frames.at(-2)?.isFinal === false);
  expect(unfinished.length).toBeGreaterThan(count / 4);
}, 20_000);
