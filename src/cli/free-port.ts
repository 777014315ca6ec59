import { createServer } from "node:net";

/** Whether nobody listens at this address, shared or not. */
export async function isFree(host: string, port: number): Promise<boolean> {
  return (await bindOnce(host, port)) !== undefined;
}

/** A port that was free a moment ago. */
export async function freePort(host: string): Promise<number> {
  const port = await bindOnce(host, 0);
  if (port === undefined) throw new Error(`no port can be opened on ${host}`);
  return port;
}

// The gateway's listeners share ports (SO_REUSEPORT) and would not notice another program of the same user; this bind does.
function bindOnce(host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(address !== null && typeof address === "object" ? address.port : undefined));
    });
  });
}
