import { afterAll, expect, test } from "bun:test";
import { until } from "../../../test/support/until.ts";
import { type Receiver, silentReceiver, type Wire } from "../../core/wire.ts";
import { TimerWheel } from "../../kit/timer-wheel.ts";
import { dial } from "./dial.ts";
import { PortListener } from "./listen.ts";
import type { WireKeeper } from "./socket-wire.ts";

const wheel = new TimerWheel();
wheel.start();
afterAll(() => wheel[Symbol.dispose]());

const keeper: WireKeeper = {
  onGone() {},
  onFault(error) {
    throw error;
  },
};

/** A receiver that writes down what it hears. */
class Notes implements Receiver {
  readonly heard: string[] = [];
  text = "";
  bytes = 0;
  readonly closed = Promise.withResolvers<Error | undefined>();
  readonly ended = Promise.withResolvers<void>();
  onBytes(bytes: Uint8Array): void {
    this.text += new TextDecoder().decode(bytes);
    this.bytes += bytes.length;
    if (this.heard.at(-1) !== "bytes") this.heard.push("bytes");
  }
  onWritable(): void {
    this.heard.push("writable");
  }
  onEnd(): void {
    this.heard.push("end");
    this.ended.resolve();
  }
  onClose(error: Error | undefined): void {
    this.heard.push("close");
    this.closed.resolve(error);
  }
}

async function pair(): Promise<{ near: Wire; far: Wire; nearNotes: Notes; farNotes: Notes; done(): void }> {
  const farNotes = new Notes();
  const nearNotes = new Notes();
  const accepted = Promise.withResolvers<Wire>();
  const listener = PortListener.open({
    host: "127.0.0.1",
    port: 0,
    onConnection: (wire) => {
      accepted.resolve(wire);
      return farNotes;
    },
    keeper,
  });
  const near = await dial({
    to: { host: "127.0.0.1", port: listener.port },
    receiver: nearNotes,
    wheel,
    timeoutMs: 1000,
    keeper,
  });
  return { near, far: await accepted.promise, nearNotes, farNotes, done: () => listener.close() };
}

test("an ended direction leaves the other open, and both together close the wire", async () => {
  const { near, far, nearNotes, farNotes, done } = await pair();
  near.write(Buffer.from("hello"));
  near.end();
  await farNotes.ended.promise;
  expect(farNotes.text).toBe("hello");
  far.write(Buffer.from("late"));
  far.end();
  expect(await nearNotes.closed.promise).toBeUndefined();
  expect(await farNotes.closed.promise).toBeUndefined();
  expect(nearNotes.text).toBe("late");
  done();
});

test("what the kernel does not take is queued, sent in order, and told of", async () => {
  const { near, far, nearNotes, farNotes, done } = await pair();
  far.pause();
  const piece = new Uint8Array(1 << 20).fill(120);
  let queued = 0;
  for (let count = 0; count < 16; count++) queued = near.write(piece);
  for (let count = 0; count < 1000; count++) queued = near.write(Buffer.from("y"));
  expect(queued).toBeGreaterThan(1 << 20);
  expect(near.queued).toBe(queued);
  near.end();
  far.resume();
  await farNotes.ended.promise;
  expect(farNotes.bytes).toBe((16 << 20) + 1000);
  expect(nearNotes.heard).toContain("writable");
  far.end();
  await nearNotes.closed.promise;
  done();
});

test("what is written in one turn of the event loop waits for its end, and is sent whatever ends the wire before", async () => {
  for (const end of ["end", "destroy"] as const) {
    const { near, far, farNotes, done } = await pair();
    const text = Array.from({ length: 5 }, (_, at) => `${at} `).join("");
    for (const word of text.match(/\d /g) ?? []) expect(near.write(Buffer.from(word))).toBe(0);
    near[end]();
    await farNotes.ended.promise;
    expect(farNotes.text).toBe(text);
    near.destroy();
    far.destroy();
    done();
  }
});

test("whoever asks what is queued hears what the kernel has not taken, also of what was written just now", async () => {
  const { near, far, done } = await pair();
  far.pause();
  const piece = new Uint8Array(16_384).fill(120);
  let pieces = 0;
  while (near.queued === 0 && pieces < 10_000) {
    near.write(piece);
    pieces++;
  }
  expect(near.queued).toBeGreaterThan(0);
  expect(near.queued).toBeLessThanOrEqual(piece.length);
  near.destroy();
  far.destroy();
  done();
});

test("a destroyed wire says nothing more, and the peer sees an end", async () => {
  const { near, far, nearNotes, farNotes, done } = await pair();
  near.destroy();
  await farNotes.ended.promise;
  expect(nearNotes.heard).toEqual([]);
  expect(near.isClosed).toBe(true);
  expect(near.write(Buffer.from("x"))).toBe(0);
  far.destroy();
  done();
});

test("nobody listening is upstream_refused, and may be tried elsewhere", async () => {
  const gone = PortListener.open({ host: "127.0.0.1", port: 0, onConnection: () => new Notes(), keeper });
  gone.close();
  const attempt = dial({
    to: { host: "127.0.0.1", port: gone.port },
    receiver: new Notes(),
    wheel,
    timeoutMs: 1000,
    keeper,
  });
  expect(attempt).rejects.toMatchObject({ code: "upstream_refused", canRetry: true });
});

test("a client that resets before it is accepted is nobody's connection", async () => {
  const accepted: Wire[] = [];
  let gone = 0;
  const listener = PortListener.open({
    host: "127.0.0.1",
    port: 0,
    onConnection: (wire) => {
      accepted.push(wire);
      return new Notes();
    },
    keeper: { ...keeper, onGone: () => gone++ },
  });
  // Another process, because this one must not accept meanwhile.
  const script = `
    const open = (socket) => { socket.write("hello"); socket.terminate(); };
    await Bun.connect({ hostname: "127.0.0.1", port: ${listener.port}, socket: { open, data() {} } });`;
  const child = Bun.spawnSync([process.execPath, "-e", script]);
  expect(child.exitCode).toBe(0);
  const near = await dial({
    to: { host: "127.0.0.1", port: listener.port },
    receiver: new Notes(),
    wheel,
    timeoutMs: 1000,
    keeper,
  });
  await until(() => accepted.length > 0);
  expect(accepted.map((wire) => typeof wire.peer.address)).toEqual(["string"]);
  near.destroy();
  for (const wire of accepted) wire.destroy();
  await until(() => gone === 1);
  listener.close();
});

test("a receiver that fails loses its wire, and its keeper hears of it", async () => {
  const broken: Receiver = {
    ...silentReceiver,
    onBytes() {
      throw new Error("at bytes");
    },
    onClose() {
      throw new Error("at the end");
    },
  };
  const heard: string[] = [];
  const listener = PortListener.open({
    host: "127.0.0.1",
    port: 0,
    onConnection: () => broken,
    keeper: { onGone: () => heard.push("gone"), onFault: (error) => heard.push(String(error)) },
  });
  const notes = new Notes();
  const to = { host: "127.0.0.1", port: listener.port };
  const near = await dial({ to, receiver: notes, wheel, timeoutMs: 1000, keeper });
  near.write(Buffer.from("x"));
  await until(() => heard.includes("gone"));
  expect(heard.toSorted()).toEqual(["Error: at bytes", "Error: at the end", "gone"]);
  await notes.ended.promise;
  near.destroy();
  listener.close();
});
