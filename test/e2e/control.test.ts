import { expect, test } from "bun:test";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { RunningGateway } from "../support/running-gateway.ts";
import { until } from "../support/until.ts";

function yaml(more: { readonly port?: number; readonly body?: string; readonly extra?: string } = {}): string {
  return `
admin: { address: "127.0.0.1:0" }
log: { format: json }
drain: { window: 0s, grace: 1s }
listeners:
  web: { address: "127.0.0.1:${more.port ?? 0}" }
routes:
  all: { filters: [ respond: { status: 200, body: "${more.body ?? "one"}" } ] }
${more.extra ?? ""}`;
}

/** A process that has ended but that nobody has waited for yet (a zombie) is not alive. */
function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return !stat.slice(stat.lastIndexOf(")")).startsWith(") Z");
  } catch {
    return false;
  }
}

test("a started gateway says where it listens, serves, and ends with SIGTERM and exit code 0", async () => {
  await using gateway = await RunningGateway.open(yaml());
  expect(await (await fetch(gateway.url)).text()).toBe("one");
  expect((await gateway.admin("/readyz")).status).toBe(200);
  const { workerPid } = gateway.ready;
  gateway.kill("SIGTERM");
  expect(await gateway.exited).toBe(0);
  expect(gateway.event("stopped")).toMatchObject({ isKilled: false });
  expect(isAlive(workerPid)).toBe(false);
});

test("the metrics page says what each process uses", async () => {
  await using gateway = await RunningGateway.open(yaml());
  const page = await (await fetch(`${gateway.ready.admin}/metrics`)).text();
  for (const process of ["control", "worker-1"]) {
    expect(page).toMatch(new RegExp(`^process_resident_memory_bytes\\{process="${process}"\\} [1-9]`, "m"));
  }
});

test("a saved change is live within a second, and a broken one changes nothing", async () => {
  await using gateway = await RunningGateway.open(yaml());
  const body = async (): Promise<string> => (await fetch(gateway.url)).text();
  const startedAt = performance.now();
  gateway.write(yaml({ body: "two" }));
  await until(async () => (await body()) === "two");
  expect(performance.now() - startedAt).toBeLessThan(1200);
  gateway.write(yaml({ body: "three", extra: "nonsense: 1" }));
  await until(() => gateway.event("config-issue") !== undefined);
  expect(await body()).toBe("two");
  const items = [{ severity: "error", at: { path: "nonsense", line: expect.any(Number) } }];
  expect((await gateway.admin("/api/issues")).body).toMatchObject({ items });
});

/** Listens as another gateway does: it would share its port with whoever wants to. */
function otherGateway() {
  const options = { hostname: "127.0.0.1", port: 0, reusePort: true };
  return Bun.listen({ ...options, socket: { data() {} } });
}

test("a port that another gateway has refuses the start and names the place in the file", async () => {
  using taken = otherGateway();
  await using gateway = new RunningGateway(yaml({ port: taken.port }));
  expect(await gateway.exited).toBe(1);
  const says = `causeway.yaml:6:19: listeners.web.address: cannot listen on 127.0.0.1:${taken.port}: somebody else listens there; choose another`;
  await until(() => gateway.said.includes(says));
});

test("an admin port that is taken refuses the start and names the place in the file", async () => {
  using taken = Bun.serve({ hostname: "127.0.0.1", port: 0, reusePort: false, fetch: () => new Response() });
  const text = yaml().replace("127.0.0.1:0", `127.0.0.1:${taken.port}`);
  await using gateway = new RunningGateway(text);
  expect(await gateway.exited).toBe(1);
  await until(() => gateway.said.includes("causeway.yaml:2:19: admin.address: the admin API cannot listen on"));
});

test("a change to a port that another gateway has is refused whole, and is in force once the port is free", async () => {
  const taken = otherGateway();
  await using gateway = await RunningGateway.open(yaml());
  const body = async (): Promise<string> => (await fetch(gateway.url)).text();
  gateway.write(yaml({ port: taken.port, body: "two" }).replace("log: { format: json }", "log: { format: text }"));
  await until(() => gateway.event("config-issue") !== undefined);
  expect(await body()).toBe("one");
  const items = [{ severity: "error", at: { path: "listeners.web.address", line: 6, column: 19 } }];
  expect((await gateway.admin("/api/issues")).body).toMatchObject({ items });
  taken.stop();
  const answers = async (): Promise<string> => (await fetch(`http://127.0.0.1:${taken.port}`)).text();
  await until(async () => (await answers().catch(() => "")) === "two", 5000);
  expect((await gateway.admin("/api/issues")).body).toMatchObject({ items: [] });
}, 10_000);

test("a configuration with errors refuses the start with every problem", async () => {
  await using gateway = new RunningGateway(yaml({ extra: "nonsense: 1\nlistenrs: {}" }));
  expect(await gateway.exited).toBe(1);
  await until(
    () => /causeway\.yaml:\d+:\d+: listenrs: .*listeners/.test(gateway.said) && gateway.said.includes("nonsense"),
  );
});

test("SIGHUP reads the files again and says what became of it, and the worker ignores it", async () => {
  await using gateway = await RunningGateway.open(yaml());
  process.kill(gateway.ready.workerPid, "SIGHUP");
  gateway.kill("SIGHUP");
  await until(() => gateway.event("config-unchanged") !== undefined);
  expect(await (await fetch(gateway.url)).text()).toBe("one");
  expect(gateway.event("worker-ended")).toBeUndefined();
});

test("a worker that is killed is replaced, and the gateway serves again", async () => {
  await using gateway = await RunningGateway.open(yaml());
  process.kill(gateway.ready.workerPid, "SIGKILL");
  await until(() => gateway.event("worker-ended") !== undefined);
  await until(async () => (await gateway.admin("/readyz")).status === 200);
  const { body } = await gateway.admin("/api/listeners");
  const [listener] = body.items as { port: number }[];
  expect((await fetch(`http://127.0.0.1:${listener?.port}`)).status).toBe(200);
});

/** Where worker and control process meet: the folder of the socket that the worker was started with. */
function runtimeFolder(workerPid: number): string {
  const args = readFileSync(`/proc/${workerPid}/cmdline`, "utf8").split("\0");
  return dirname(args[args.indexOf("--control") + 1] ?? "");
}

test("a control process that is killed takes its worker with it, and leaves no folder", async () => {
  await using gateway = await RunningGateway.open(yaml());
  const { workerPid } = gateway.ready;
  const folder = runtimeFolder(workerPid);
  expect(existsSync(folder)).toBe(true);
  gateway.kill("SIGKILL");
  await until(() => !isAlive(workerPid));
  expect(existsSync(folder)).toBe(false);
});

test("what a gateway left whose processes were all killed is removed by the next one", async () => {
  await using killed = await RunningGateway.open(yaml());
  const { workerPid } = killed.ready;
  const folder = runtimeFolder(workerPid);
  process.kill(workerPid, "SIGSTOP");
  killed.kill("SIGKILL");
  process.kill(workerPid, "SIGKILL");
  await killed.exited;
  expect(existsSync(folder)).toBe(true);
  await using _ = await RunningGateway.open(yaml());
  await until(() => !existsSync(folder));
});

test("a second signal ends everything at once, even while the worker hangs", async () => {
  await using gateway = await RunningGateway.open(yaml());
  const { workerPid } = gateway.ready;
  process.kill(workerPid, "SIGSTOP");
  gateway.kill("SIGINT");
  await until(() => gateway.event("draining") !== undefined);
  gateway.kill("SIGINT");
  expect(await gateway.exited).toBe(1);
  await until(() => !isAlive(workerPid));
});

test("the admin API answers while the worker hangs, and the worker is killed when its grace is over", async () => {
  await using gateway = await RunningGateway.open(yaml());
  const { workerPid } = gateway.ready;
  process.kill(workerPid, "SIGSTOP");
  expect((await gateway.admin("/healthz")).status).toBe(200);
  expect((await gateway.admin("/readyz")).status).toBe(503);
  gateway.kill("SIGTERM");
  expect(await gateway.exited).toBe(0);
  expect(isAlive(workerPid)).toBe(false);
  expect(gateway.event("stopped")).toMatchObject({ isKilled: true });
}, 15_000);

test("while connections of clients hang, the admin API still answers, and no runtime folder stays behind", async () => {
  await using gateway = await RunningGateway.open(yaml());
  const folder = runtimeFolder(gateway.ready.workerPid);
  const sockets = Array.from({ length: 200 }, () => connect(gateway.ready.listeners[0]?.port ?? 0, "127.0.0.1"));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  expect((await gateway.admin("/healthz")).status).toBe(200);
  for (const socket of sockets) socket.destroy();
  gateway.kill("SIGTERM");
  expect(await gateway.exited).toBe(0);
  expect(existsSync(folder)).toBe(false);
});
