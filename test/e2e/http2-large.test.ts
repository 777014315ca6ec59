import { expect, test } from "bun:test";
import http2 from "node:http2";
import { makeFrame, someMask } from "../support/frames.ts";
import { megabyte, pour, summing } from "../support/large-traffic.ts";
import { highest, residentMemory } from "../support/process-figures.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { ScriptedBackend } from "../support/scripted-backend.ts";
import { testAuthority, testSite } from "../support/test-certificates.ts";
import { TlsFiles } from "../support/tls-files.ts";
import { until } from "../support/until.ts";

const frameSize = 256 * megabyte;
/** What a collector has not fetched yet of pieces that frames are cut from (90 to 150 MB were seen), and what HTTP/2 keeps for slow streams (4 MB). */
const mostRise = 192 * megabyte;

/** One end of a WebSocket on a stream, as `pour` and `summing` want it. */
class StreamEnd {
  onBytes: ((bytes: Buffer) => void) | undefined;
  count = 0;
  readonly #stream: http2.ClientHttp2Stream;

  constructor(stream: http2.ClientHttp2Stream) {
    this.#stream = stream;
    stream.on("data", (bytes: Buffer) => {
      this.count += bytes.length;
      this.onBytes?.(bytes);
    });
  }

  get queued(): number {
    return this.#stream.writableLength;
  }

  write(bytes: Uint8Array): void {
    this.#stream.write(bytes);
  }
}

test("AC-16.1, AC-17.3: over HTTP/2 and TLS 256 MB go both ways at once, arrive whole, and leave memory flat", async () => {
  using files = TlsFiles.make();
  await using backend = ScriptedBackend.open(async (connection) => {
    connection.switch(await connection.request());
    connection.isKept = false;
  });
  const certificates = JSON.stringify([files.add("site", testSite())]);
  await using gateway = await RunningGateway.open(`
admin: { address: "127.0.0.1:0" }
drain: { window: 0s, grace: 1s }
listeners: { web: { address: "127.0.0.1:0", tls: { certificates: ${certificates} } } }
upstreams: { app: { endpoints: [ "127.0.0.1:${backend.port}" ] } }
routes: { all: { to: app } }
`);
  const { workerPid } = gateway.ready;
  const fresh = residentMemory(workerPid);
  const session = http2.connect(`https://localhost:${gateway.ready.listeners[0]?.port}`, { ca: testAuthority().cert });
  await new Promise((resolve) => session.once("remoteSettings", resolve));
  const stream = session.request(
    { ":method": "CONNECT", ":protocol": "websocket", ":path": "/", "sec-websocket-version": "13" },
    { endStream: false },
  );
  const client = new StreamEnd(stream);
  const connection = await backend.connection(0);
  await until(() => connection.requests.length === 1);

  const [up, down] = [{ mask: someMask }, {}].map((how) =>
    makeFrame({ opcode: 2, claims: BigInt(frameSize), lengthForm: 64, ...how }),
  ) as [Buffer, Buffer];
  const [atBackend, atClient] = [summing(connection, up.length), summing(client, down.length)];
  const traffic = async () => {
    client.write(up);
    connection.write(down);
    const [sent, answered] = await Promise.all([pour(client, frameSize), pour(connection, frameSize)]);
    await until(() => atBackend.count >= frameSize && atClient.count >= frameSize, 30_000);
    expect(atBackend).toEqual({ sum: sent, count: frameSize });
    expect(atClient).toEqual({ sum: answered, count: frameSize });
  };
  const most = await highest(() => residentMemory(workerPid), traffic());
  expect(most - fresh).toBeLessThan(mostRise);
  session.destroy();
}, 60_000);
