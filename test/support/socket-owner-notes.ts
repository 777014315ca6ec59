import type { OwnedSocket, SocketOwner } from "../../src/dataplane/net/socket-owner.ts";

/** The owner of sockets, and what it has heard. */
export type OwnerNotes = {
  readonly owner: SocketOwner;
  readonly heard: string[];
  /** Bytes received. */
  bytes: number;
  /** The one that was opened last. */
  socket: OwnedSocket | undefined;
  /** Called when one is opened, or has received something. */
  act: () => void;
};

/** An owner that writes down what it hears: `received` with the text if that is short. */
export function fakeOwner(): OwnerNotes {
  const heard: string[] = [];
  const codeOf = (error: Error | undefined): string =>
    error === undefined ? "" : ` ${"code" in error ? error.code : error.message}`;
  const notes: OwnerNotes = {
    heard,
    bytes: 0,
    socket: undefined,
    act() {},
    owner: {
      opened(socket) {
        heard.push("opened");
        notes.socket = socket;
        socket.data = notes.owner;
        notes.act();
      },
      received(bytes) {
        notes.bytes += bytes.length;
        heard.push(bytes.length > 100 ? "received" : `received ${Buffer.from(bytes).toString("latin1")}`);
        notes.act();
      },
      drained: () => void heard.push("drained"),
      ended: () => void heard.push("ended"),
      closed: (error) => void heard.push(`closed${codeOf(error)}`),
      refused: (error) => void heard.push(`refused${codeOf(error)}`),
      failed: (error) => void heard.push(`failed ${error.message}`),
    },
  };
  return notes;
}
