import { expect, test } from "bun:test";
import { Http2PeerConnection } from "../../../test/support/http2-peer.ts";
import { HeaderList } from "../../core/headers.ts";
import type { StreamedRequest } from "../../core/shared-connection.ts";
import { silentReceiver, type Wire } from "../../core/wire.ts";
import { latin1 } from "../../kit/latin1.ts";
import { TimerWheel } from "../../kit/timer-wheel.ts";
import { flag, frameType, settingsFrame } from "./frames.ts";
import { OutgoingConnection } from "./outgoing-connection.ts";

const request: StreamedRequest = {
  method: "GET",
  scheme: "http",
  authority: "app.example",
  path: "/",
  isHandshake: false,
  headers: new HeaderList(),
  body: undefined,
  timeoutMs: 0,
  onInterim: () => {},
};

/** A connection whose time is simulated, and the upstream at its other end. */
async function open() {
  const wheel = new TimerWheel({ clock: "simulated" });
  let isDestroyed = false;
  const wire: Wire = {
    peer: { address: "127.0.0.1", port: 1 },
    queued: 0,
    isClosed: false,
    receiver: silentReceiver,
    write: (bytes) => {
      upstream.read(Buffer.from(bytes));
      return 0;
    },
    writeFramed: (before, bytes, after) => wire.write(latin1(before, bytes, after)),
    pause: () => {},
    resume: () => {},
    end: () => {},
    destroy: () => {
      isDestroyed = true;
    },
  };
  const upstream = new Http2PeerConnection((bytes) => wire.receiver.onBytes(bytes));
  const faults: unknown[] = [];
  const opening = OutgoingConnection.open({ wire, wheel, timeoutMs: 1000, onFault: (fault) => faults.push(fault) });
  upstream.write(settingsFrame([]));
  const pings = () => upstream.frames.filter(({ type }) => type === frameType.ping).length;
  return { connection: await opening, upstream, wheel, pings, faults, isDestroyed: () => isDestroyed };
}

test("a line that is silent while something is asked is tried with PING, and lost if that is not answered", async () => {
  const { connection, upstream, wheel, pings, isDestroyed } = await open();
  const { answer } = connection.request(request);
  wheel.advance(19_000);
  expect(pings()).toBe(0);
  wheel.advance(21_000);
  expect(pings()).toBe(1);
  upstream.send(frameType.ping, flag.ack, 0, Buffer.alloc(8));
  wheel.advance(40_000);
  expect([pings(), isDestroyed()]).toEqual([1, false]);
  wheel.advance(42_000);
  expect(pings()).toBe(2);
  wheel.advance(53_000);
  expect(isDestroyed()).toBe(true);
  expect(connection.hasRoom).toBe(false);
  expect(answer).rejects.toMatchObject({ code: "upstream_lost", canRetry: false });
});

test("a line on which nothing is asked is left alone, and tried at once when it is used after a long silence", async () => {
  const { connection, wheel, pings } = await open();
  wheel.advance(60_000);
  expect(pings()).toBe(0);
  using exchange = connection.request(request);
  exchange.answer.catch(() => {});
  expect(pings()).toBe(1);
});

test("a fault of ours costs one stream, and the others on the connection go on", async () => {
  const { connection, upstream, faults, isDestroyed } = await open();
  const onInterim = () => {
    throw new Error("a broken invariant");
  };
  const broken = connection.request({ ...request, onInterim });
  const other = connection.request(request);
  upstream.answer(1, { ":status": "103" }, false).answer(3, { ":status": "200" });
  await expect(broken.answer).rejects.toMatchObject({ code: "upstream_lost" });
  expect(await other.answer).toMatchObject({ status: 200 });
  expect(faults).toMatchObject([{ message: "a broken invariant" }]);
  expect([isDestroyed(), connection.hasRoom]).toEqual([false, true]);
});
