import type { OwnedSocket } from "../../src/dataplane/net/socket-owner.ts";

/** What a kernel's side of a socket would see: bytes, and how the socket ended. It takes as many bytes as it is told to. */
export class FakeSocket {
  readonly fd = 3;
  readonly calls: string[] = [];
  /** Bytes that it still takes. */
  room = Number.POSITIVE_INFINITY;
  /** What `write` throws, once. */
  failure: Error | undefined;
  sent = "";

  /** As wires know it. */
  get owned(): OwnedSocket {
    // Wires use nothing of a socket but what stands here.
    return this as unknown as OwnedSocket;
  }

  write(bytes: Uint8Array, from = 0, length = bytes.length - from): number {
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
    const taken = Math.min(this.room, length);
    this.room -= taken;
    const text = Buffer.from(bytes.subarray(from, from + taken)).toString("latin1");
    this.sent += text;
    this.calls.push(`write ${text}`);
    return taken;
  }

  pause(): void {
    this.calls.push("pause");
  }

  resume(): void {
    this.calls.push("resume");
  }

  end(): void {
    this.calls.push("end");
  }

  shutdown(): void {
    this.calls.push("shutdown");
  }

  close(): void {
    this.calls.push("close");
  }
}
