import { handshake } from "../support/handshake.ts";
import { Random } from "../support/random.ts";
import { type Load, type LoadOptions, repeat } from "./load.ts";

const statuses = [200, 401, 404, 500] as const;
/** How long an answer may take on a busy machine (ms). */
const patienceMs = 20_000;

type Asking = { readonly done: (problem: string | undefined) => void; readonly status: number; text: string };

/** Handshakes that the application answers with an ordinary response, which has to arrive, and leaves nothing behind (AC-6.2). */
export class RefusedUpgrades implements Load {
  readonly name = "refused upgrades";
  done = 0;
  readonly #options: LoadOptions & { readonly atOnce?: number };
  readonly #random: Random;

  constructor(options: LoadOptions & { readonly atOnce?: number }) {
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  run(signal: AbortSignal): Promise<void> {
    const { findings, atOnce = 20 } = this.#options;
    return repeat(() => this.#ask(), { times: atOnce, signal, name: "refused", findings });
  }

  async #ask(): Promise<void> {
    const status = this.#random.pick(statuses);
    const problem = await new Promise<string | undefined>((done) => {
      const timer = setTimeout(() => done(`no answer in ${patienceMs} ms`), patienceMs);
      const data: Asking = {
        status,
        text: "",
        done: (problem) => {
          clearTimeout(timer);
          done(problem);
        },
      };
      const connected = Bun.connect({ hostname: "127.0.0.1", port: this.#options.port, socket: asking, data });
      connected.catch((error: unknown) => data.done(String(error)));
    });
    if (problem !== undefined) throw new Error(problem);
    this.done++;
  }
}

const asking: Bun.SocketHandler<Asking> = {
  open(socket) {
    socket.write(handshake({ target: `/refused/${socket.data.status}` }));
  },
  data(socket, bytes) {
    socket.data.text += bytes.toString("latin1");
  },
  close({ data: { done, status, text } }) {
    const isWhole = text.startsWith(`HTTP/1.1 ${status} `) && text.endsWith(`\r\n\r\nno ${status}`);
    done(isWhole ? undefined : `instead of ${status} came ${JSON.stringify(text.slice(0, 200))}`);
  },
};

/** The application that refuses: a request for `/404` gets a 404. */
export function refuse(): Bun.TCPSocketListener<{ text: string }> {
  return Bun.listen<{ text: string }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        socket.data = { text: "" };
      },
      data(socket, bytes) {
        socket.data.text += bytes.toString("latin1");
        for (let end = socket.data.text.indexOf("\r\n\r\n"); end >= 0; end = socket.data.text.indexOf("\r\n\r\n")) {
          const status = /^GET \/(\d+) /.exec(socket.data.text)?.[1] ?? "400";
          socket.write(`HTTP/1.1 ${status} Refused\r\nContent-Length: ${3 + status.length}\r\n\r\nno ${status}`);
          socket.data.text = socket.data.text.slice(end + 4);
        }
      },
    },
  });
}
