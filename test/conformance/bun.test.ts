import { ptr, read } from "bun:ffi";
import { expect, test } from "bun:test";
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Epoll, happenings } from "../../src/dataplane/net/epoll.ts";
import { findBunsEpoll } from "../../src/dataplane/net/find-buns-epoll.ts";
import { fixedMemory, systemCalls } from "../../src/dataplane/net/system-calls.ts";

// What the data plane relies on and Bun's documentation does not promise. An upgrade of Bun that moves one of these fails here.

type Heard = { readonly events: string[]; readonly done: Promise<void> };

/** Listens with half-open sockets and writes down the events of its one connection. */
function watch(
  onOpen: (socket: Bun.Socket) => void = () => {},
): Heard & { port: number; socket: () => Bun.Socket; stop: () => void } {
  const events: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  let only: Bun.Socket | undefined;
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      open(socket) {
        only = socket;
        onOpen(socket);
      },
      data(_, bytes) {
        events.push(`data ${bytes.length}`);
      },
      end() {
        events.push("end");
      },
      close(_, error) {
        events.push(error === undefined ? "close" : `close ${"code" in error ? error.code : error.message}`);
        resolve();
      },
    },
  });
  const socket = (): Bun.Socket => {
    if (only === undefined) throw new Error("nobody has connected");
    return only;
  };
  return { events, done: promise, port: listener.port, socket, stop: () => listener.stop(true) };
}

function connect(port: number): Promise<net.Socket> {
  const { promise, resolve } = Promise.withResolvers<net.Socket>();
  const socket = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true }, () => resolve(socket));
  socket.on("error", () => {});
  return promise;
}

test("after the peer's FIN a half-open socket can still write, and shutdown() closes it", async () => {
  const heard = watch();
  const client = await connect(heard.port);
  const text = new Promise<string>((resolve) => client.once("data", (bytes) => resolve(bytes.toString())));
  client.end("last words");
  while (!heard.events.includes("end")) await Bun.sleep(1);
  expect(heard.socket().write("answer")).toBe(6);
  expect(await text).toBe("answer");
  heard.socket().shutdown();
  await heard.done;
  expect(heard.events).toEqual(["data 10", "end", "close"]);
  heard.stop();
});

test("a reset is a close with ECONNRESET", async () => {
  const heard = watch();
  const client = await connect(heard.port);
  while (heard.events.length === 0 && client.connecting) await Bun.sleep(1);
  client.write("x");
  while (!heard.events.includes("data 1")) await Bun.sleep(1);
  client.resetAndDestroy();
  await heard.done;
  expect(heard.events.at(-1)).toBe("close ECONNRESET");
  heard.stop();
});

test("write() says how much the kernel took, and drain says when to go on", async () => {
  let drained = 0;
  const big = new Uint8Array(32 << 20);
  const accepted = Promise.withResolvers<Bun.Socket>();
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { open: (socket) => accepted.resolve(socket), data() {}, drain: () => void drained++ },
  });
  const client = await connect(listener.port);
  client.pause();
  const taken = (await accepted.promise).write(big);
  expect(taken).toBeGreaterThan(0);
  expect(taken).toBeLessThan(big.length);
  const before = drained;
  client.resume();
  while (drained === before) await Bun.sleep(1);
  client.destroy();
  listener.stop(true);
});

test("two listeners share a port with reusePort, and both get connections", async () => {
  const counts = { one: 0, two: 0 };
  const listen = (name: "one" | "two", port: number) => {
    const options = {
      hostname: "127.0.0.1",
      port,
      reusePort: true,
      socket: { open: () => void counts[name]++, data() {} },
    };
    return Bun.listen(options);
  };
  const one = listen("one", 0);
  const two = listen("two", one.port);
  const clients = await Promise.all(Array.from({ length: 64 }, () => connect(one.port)));
  while (counts.one + counts.two < 64) await Bun.sleep(1);
  expect(Math.min(counts.one, counts.two)).toBeGreaterThan(0);
  for (const client of clients) client.destroy();
  one.stop(true);
  two.stop(true);
});

test("mapped memory of one file is the same memory", () => {
  const folder = mkdtempSync(join(tmpdir(), "causeway-mmap-"));
  const path = join(folder, "counters");
  const file = openSync(path, "w+");
  ftruncateSync(file, 4096);
  const one = new Int32Array(Bun.mmap(path, { shared: true }).buffer);
  const two = new Int32Array(Bun.mmap(path, { shared: true }).buffer);
  one[7] = 42;
  expect(two[7]).toBe(42);
  closeSync(file);
  rmSync(folder, { recursive: true });
});

test("the epoll instance of Bun's event loop can be found, and is readable once Bun has something to do", async () => {
  const calls = systemCalls();
  const bunsEpoll = findBunsEpoll(calls);
  const heard = watch();
  const client = await connect(heard.port);
  const epoll = Epoll.open(calls);
  epoll.add({ descriptor: bunsEpoll, generation: 0 }, happenings.readable);
  await Bun.sleep(5);
  client.write("x");
  expect(epoll.wait(1000)).toBe(1);
  expect(epoll.descriptorAt(0)).toBe(bunsEpoll);
  // It stays so until Bun has had its turn.
  expect(epoll.wait(0)).toBe(1);
  while (!heard.events.includes("data 1")) await Bun.sleep(1);
  epoll.close();
  client.destroy();
  heard.stop();
});

test("memory of an ArrayBuffer of its own stays where it is, however often JavaScript uses it", async () => {
  const words = new Int32Array(fixedMemory(16));
  const before = ptr(words);
  let sum = 0;
  const use = (round: number): void => {
    words[round & 3] = round;
    sum += words[(round + 1) & 3] as number;
  };
  // Compiled by and by, on other threads.
  for (let round = 0; round < 200; round++) {
    for (let step = 0; step < 5000; step++) use(step);
    if (round % 50 === 0) await Bun.sleep(1);
  }
  expect(sum).toBeGreaterThan(0);
  expect(words.buffer.byteLength).toBe(16);
  expect(ptr(words)).toBe(before);
  words[2] = 42;
  expect(read.i32(before, 8)).toBe(42);
});
