import { acceptFor } from "../../../src/core/websocket-handshake.ts";
import { readRequest } from "../../support/http-message.ts";
import { Random } from "../../support/random.ts";
import type { Findings } from "../load.ts";
import { mutate } from "./mutate.ts";
import { sampleFrames, sampleResponse } from "./samples.ts";
import { frameProblem, requestProblem } from "./well-formed.ts";

type Connection = { received: Buffer; isSwitched: boolean };
type FuzzSocket = Bun.Socket<Connection>;

/** An application that answers nonsense, the same to the same request, and looks whether what the gateway sends it is well-formed. */
export class FuzzBackend implements Disposable {
  readonly #findings: Findings;
  readonly #listener: Bun.TCPSocketListener<Connection>;

  constructor(findings: Findings) {
    this.#findings = findings;
    this.#listener = Bun.listen<Connection>({
      hostname: "127.0.0.1",
      port: 0,
      allowHalfOpen: true,
      socket: {
        open(socket) {
          socket.data = { received: Buffer.alloc(0), isSwitched: false };
        },
        data: (socket, bytes) => this.#take(socket, bytes),
        end: (socket) => void socket.end(),
        close: ({ data }) => this.#check(data.isSwitched ? frameProblem(data.received, "upstream") : undefined),
        error() {},
      },
    });
  }

  get port(): number {
    return this.#listener.port;
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true);
  }

  #take(socket: FuzzSocket, bytes: Buffer): void {
    const { data } = socket;
    data.received = Buffer.concat([data.received, bytes]);
    if (data.isSwitched) return;
    const problem = requestProblem(data.received);
    if (problem !== undefined) {
      this.#check(problem);
      socket.terminate();
      return;
    }
    const found = readRequest(data.received);
    if (found === undefined) return;
    data.received = found.rest;
    this.#answer(socket, found.message.head);
  }

  #answer(socket: FuzzSocket, head: string): void {
    const random = new Random(Number(/^[A-Z]+ \/(\d+) /.exec(head)?.[1] ?? 0) ^ 0x5eed);
    const key = /^sec-websocket-key: *(\S+)/im.exec(head)?.[1];
    if (key !== undefined && random.below(4) > 0) {
      const answer = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n\r\n`;
      const bytes = Buffer.from(answer, "latin1");
      socket.data.isSwitched = true;
      const frames = sampleFrames("upstream", random);
      if (random.below(3) > 0)
        socket.write(Buffer.concat([bytes, random.below(2) > 0 ? frames : mutate(frames, random)]));
      else socket.write(Buffer.concat([mutate(bytes, random), frames]));
    } else {
      const response = sampleResponse(random);
      socket.write(random.below(3) === 0 ? response : mutate(response, random));
    }
    const ending = random.below(4);
    if (ending === 0) socket.shutdown();
    if (ending === 1) socket.terminate();
  }

  #check(problem: string | undefined): void {
    if (problem !== undefined) this.#findings.add(`fuzz: the application was sent ${problem}`);
  }
}
