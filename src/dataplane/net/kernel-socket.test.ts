import { expect, test } from "bun:test";
import net from "node:net";
import { fakeOwner, type OwnerNotes } from "../../../test/support/socket-owner-notes.ts";
import { until } from "../../../test/support/until.ts";
import { copyDescriptor } from "./copy-descriptor.ts";
import { kernelCalls } from "./kernel-calls.ts";
import { kernelConnect } from "./kernel-connect.ts";
import { KernelListener } from "./kernel-listener.ts";
import type { KernelLoop } from "./kernel-loop.ts";
import { kernelLoop } from "./kernel-loop.ts";
import { KernelSocket } from "./kernel-socket.ts";
import { systemCalls } from "./system-calls.ts";

function loopOfThisProcess(): KernelLoop {
  const loop = kernelLoop();
  if (loop === undefined) throw new Error("there is no such loop on this system");
  return loop;
}
const loop = loopOfThisProcess();

/** A socket of ours that somebody has connected to, and that somebody. */
async function accepted(): Promise<{ notes: OwnerNotes; near: KernelSocket; far: net.Socket; stop(): void }> {
  const notes = fakeOwner();
  const listener = KernelListener.open({ loop, host: "127.0.0.1", port: 0, owner: notes.owner });
  const far = net.connect({ host: "127.0.0.1", port: listener?.port ?? 0, allowHalfOpen: true });
  far.on("error", () => {});
  await until(() => notes.socket !== undefined && !far.connecting);
  return { notes, near: notes.socket as KernelSocket, far, stop: () => listener?.stop() };
}

/** A server that does something with whoever connects. */
async function serving(serve: (socket: net.Socket) => void): Promise<{ port: number; stop(): void }> {
  const server = net.createServer({ allowHalfOpen: true }, serve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as net.AddressInfo).port, stop: () => server.close() };
}

/** The descriptor of a socket of node:net, which Bun keeps to itself: the one whose own address is that. */
function descriptorOf(socket: net.Socket): number {
  for (let descriptor = 3; descriptor < 1000; descriptor++) {
    const { port } = kernelCalls().addressOf(descriptor, "getsockname") ?? {};
    if (port === socket.localPort && kernelCalls().addressOf(descriptor, "getpeername")?.port === socket.remotePort)
      return descriptor;
  }
  throw new Error("no such socket");
}

/** Resets a connection at once, without a turn of the event loop. */
async function resetFrom(far: net.Socket): Promise<void> {
  const descriptor = descriptorOf(far);
  kernelCalls().lingerForNothing(descriptor);
  far.resetAndDestroy();
}

test("bytes, the peer's FIN, an answer behind it, and the end", async () => {
  const { notes, near, far, stop } = await accepted();
  const answer = new Promise<string>((resolve) => far.once("data", (bytes) => resolve(bytes.toString())));
  far.end("last words");
  await until(() => notes.heard.includes("ended"));
  expect(near.write(Buffer.from("answer"))).toBe(6);
  expect(await answer).toBe("answer");
  near.shutdown();
  expect(notes.heard).toEqual(["opened", "received last words", "ended", "closed"]);
  stop();
});

test("a FIN of ours leaves reading on, and the peer's behind it closes", async () => {
  const { notes, near, far, stop } = await accepted();
  near.shutdown();
  far.write("still");
  await until(() => notes.heard.includes("received still"));
  far.end();
  await until(() => notes.heard.includes("closed"));
  expect(notes.heard).toEqual(["opened", "received still", "closed"]);
  stop();
});

test("a reset closes with ECONNRESET, behind what came before it", async () => {
  const { notes, far, stop } = await accepted();
  far.write("before");
  far.resetAndDestroy();
  await until(() => notes.heard.length === 3);
  expect(notes.heard).toEqual(["opened", "received before", "closed ECONNRESET"]);
  stop();
});

test("a reset behind a FIN is heard, though nobody writes", async () => {
  const { notes, far, stop } = await accepted();
  far.end("all");
  await until(() => notes.heard.includes("ended"));
  far.resetAndDestroy();
  await until(() => notes.heard.some((what) => what.startsWith("closed")));
  expect(notes.heard.slice(0, 3)).toEqual(["opened", "received all", "ended"]);
  stop();
});

test("a reset is heard by one that pauses, and before it all that came", async () => {
  const { notes, near, far, stop } = await accepted();
  near.pause();
  const all = Buffer.alloc(100_000, "x");
  await new Promise((resolve) => far.write(all, resolve));
  far.resetAndDestroy();
  await until(() => notes.heard.at(-1) === "closed ECONNRESET");
  expect(notes.bytes).toBe(all.length);
  stop();
});

test("a reset behind a FIN that was not read is heard, and all that came", async () => {
  const { notes, near, far, stop } = await accepted();
  near.pause();
  await new Promise((resolve) => far.end(Buffer.alloc(100_000, "x"), () => resolve(undefined)));
  await Bun.sleep(20);
  far.resetAndDestroy();
  near.resume();
  await until(() => notes.heard.some((what) => what.startsWith("closed")));
  expect(notes.bytes).toBe(100_000);
  stop();
});

test("a reset that a write has heard of first is no orderly end", async () => {
  const { notes, near, far, stop } = await accepted();
  near.pause();
  far.write("half");
  await Bun.sleep(20);
  // Both are there before the loop has its next turn.
  const reset = resetFrom(far);
  expect(near.write(Buffer.from("x"))).toBe(-1);
  near.resume();
  await until(() => notes.heard.some((what) => what.startsWith("closed")));
  expect(notes.heard.filter((what) => what !== "drained")).toEqual(["opened", "received half", "closed ECONNRESET"]);
  await reset;
  stop();
});

test("what stands behind urgent data is read at once", async () => {
  const { notes, near, far, stop } = await accepted();
  const calls = systemCalls();
  const urgent = 1;
  const send = (text: string, how: number): void => {
    const bytes = Buffer.from(text);
    calls.send(descriptorOf(far), bytes, bytes.length, how);
  };
  send("before", 0);
  send("!", urgent);
  send("behind", 0);
  await until(() => notes.bytes === 12);
  near.end();
  far.destroy();
  stop();
});

test("what is paused is read once it is resumed, and the FIN behind it", async () => {
  const { notes, near, far, stop } = await accepted();
  near.pause();
  far.end(Buffer.alloc(300_000, "x"));
  await Bun.sleep(20);
  expect(notes.heard).toEqual(["opened"]);
  near.resume();
  await until(() => notes.heard.includes("ended"));
  expect(notes.bytes).toBe(300_000);
  near.end();
  stop();
});

test("a write takes what the kernel takes, and drained says when to go on", async () => {
  const { notes, near, far, stop } = await accepted();
  far.pause();
  const piece = Buffer.alloc(1 << 20, "y");
  let sent = 0;
  for (let taken = piece.length; taken === piece.length; sent += taken) taken = near.write(piece);
  expect(near.write(piece)).toBe(0);
  expect(notes.heard).toEqual(["opened"]);
  let came = 0;
  far.on("data", (bytes) => {
    came += bytes.length;
  });
  far.resume();
  await until(() => notes.heard.includes("drained") && came === sent);
  near.end();
  stop();
});

test("a write to a peer that has gone says so, and the owner hears of the end once", async () => {
  const { notes, near, far, stop } = await accepted();
  far.destroy();
  await until(() => notes.heard.includes("ended"));
  let taken = 0;
  for (let tries = 0; tries < 100 && taken >= 0; tries++) {
    taken = near.write(Buffer.from("x"));
    await Bun.sleep(1);
  }
  await until(() => notes.heard.some((what) => what.startsWith("closed")));
  expect(near.write(Buffer.from("x"))).toBe(-1);
  await Bun.sleep(20);
  expect(notes.heard.filter((what) => what.startsWith("closed"))).toHaveLength(1);
  stop();
});

test("terminate is a reset, end is none", async () => {
  for (const [how, error] of [
    ["terminate", true],
    ["end", false],
  ] as const) {
    const { notes, near, far, stop } = await accepted();
    const closed = new Promise<boolean>((resolve) => {
      far.on("error", () => resolve(true));
      far.on("end", () => resolve(false));
    });
    far.resume();
    near[how]();
    expect(notes.heard).toEqual(["opened", "closed"]);
    expect(await closed).toBe(error);
    far.destroy();
    stop();
  }
});

test("close leaves the connection to whoever else has it", async () => {
  const { notes, near, far, stop } = await accepted();
  const copy = copyDescriptor(near.fd);
  near.close();
  expect(notes.heard).toEqual(["opened", "closed"]);
  const next = fakeOwner();
  const other = KernelSocket.open({ loop, descriptor: copy, owner: next.owner });
  far.write("to the next");
  await until(() => next.heard.includes("received to the next"));
  expect(other.write(Buffer.from("from the next"))).toBe(13);
  expect(notes.heard).toEqual(["opened", "closed"]);
  other.end();
  far.destroy();
  stop();
});

test("an owner that throws hears of it, and the others go on", async () => {
  const one = await accepted();
  const two = await accepted();
  one.notes.act = () => {
    throw new Error("mine");
  };
  one.far.write("a");
  two.far.write("b");
  await until(() => one.notes.heard.includes("failed mine") && two.notes.heard.includes("received b"));
  for (const { near, far, stop } of [one, two]) {
    near.end();
    far.destroy();
    stop();
  }
});

test("what a server says at once waits for whoever waits for the connection", async () => {
  const { port, stop } = await serving((socket) => socket.end("welcome"));
  for (let count = 0; count < 50; count++) {
    const first = fakeOwner();
    const later = fakeOwner();
    const opened = new Promise<void>((resolve) => {
      first.act = resolve;
    });
    const socket = kernelConnect({ loop, host: "127.0.0.1", port, owner: first.owner });
    await opened;
    // Some awaits later, as it is where several functions wait one for the other.
    for (let step = 0; step < 5; step++) await Promise.resolve();
    if (socket !== undefined) socket.data = later.owner;
    await until(() => later.heard.includes("ended"));
    expect([...first.heard, ...later.heard]).toEqual(["opened", "received welcome", "ended"]);
    socket?.end();
  }
  stop();
});

test("nobody listening is refused, and a name is nobody's address here", async () => {
  const { port, stop } = await serving(() => {});
  stop();
  const notes = fakeOwner();
  kernelConnect({ loop, host: "127.0.0.1", port, owner: notes.owner });
  await until(() => notes.heard.length > 0);
  expect(notes.heard).toEqual(["refused ECONNREFUSED"]);
  expect(kernelConnect({ loop, host: "localhost", port, owner: notes.owner })).toBeUndefined();
});

test("one that is given up while it connects is closed, and nothing is heard of it", async () => {
  const notes = fakeOwner();
  // Nobody is there (RFC 5737), or there is no way.
  try {
    kernelConnect({ loop, host: "192.0.2.1", port: 9, owner: notes.owner })?.terminate();
    expect(notes.heard).toEqual(["closed"]);
  } catch (error) {
    expect(error).toMatchObject({ syscall: "connect" });
  }
});

test("both ends have names, over IPv4 and IPv6", async () => {
  const notes = fakeOwner();
  const listener = KernelListener.open({ loop, host: "::", port: 0, owner: notes.owner });
  const port = listener?.port ?? 0;
  for (const [host, name] of [
    ["127.0.0.1", "::ffff:127.0.0.1"],
    ["::1", "::1"],
  ] as const) {
    const far = net.connect({ host, port });
    await until(() => notes.socket !== undefined && !far.connecting);
    const { socket } = notes;
    expect(socket).toMatchObject({
      remoteAddress: name,
      remotePort: far.localPort,
      localAddress: name,
      localPort: port,
    });
    notes.socket = undefined;
    socket?.end();
    far.destroy();
  }
  listener?.stop();
});

test("a port that somebody else has is EADDRINUSE, an address that nobody has EADDRNOTAVAIL", async () => {
  const { port, stop } = await serving(() => {});
  const listen = (host: string, at: number) => () =>
    KernelListener.open({ loop, host, port: at, owner: fakeOwner().owner });
  expect(listen("127.0.0.1", port)).toThrow(expect.objectContaining({ code: "EADDRINUSE" }));
  expect(listen("192.0.2.1", 0)).toThrow(expect.objectContaining({ code: "EADDRNOTAVAIL" }));
  expect(listen("localhost", 0)()).toBeUndefined();
  stop();
});
