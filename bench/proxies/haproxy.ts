import { join } from "node:path";
import { descriptorLimit } from "../measure/machine.ts";
import { treeOf } from "../measure/processes.ts";
import { type TlsFiles, tlsTerms } from "../run/tls-files.ts";
import { type Contender, checkAnswers, outputOf, type ProxyPlan } from "./contender.ts";

/** HAProxy with a thread for each worker and its default buffers. */
export const haproxy: Contender = {
  name: "haproxy",
  warmupFactor: 1,

  async version() {
    return /version (\d[\d.]*)/.exec((await outputOf(["haproxy", "-v"])) ?? "")?.[1];
  },

  async prepare(plan) {
    const file = join(plan.folder, "haproxy.cfg");
    await Bun.write(file, configuration(plan));
    return ["haproxy", "-db", "-f", file];
  },

  checkReady: checkAnswers,

  async processes(_plan, child) {
    return treeOf(child.pid).map((pid) => ({ role: "worker", pid }));
  },
};

function configuration({ port, upstreamPort, workers, tls, oldStaysSeconds }: ProxyPlan): string {
  // Each connection takes two descriptors, and HAProxy refuses to start where it could not have them all.
  const mostConnections = Math.floor(Math.min(7500, descriptorLimit() / 2 - 200));
  return `
global
  nbthread ${workers}
  ${oldStaysSeconds === undefined ? "" : `hard-stop-after ${oldStaysSeconds}s`}
  maxconn ${mostConnections}

defaults
  mode http
  timeout connect 10s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  http-reuse always

frontend web
  bind 127.0.0.1:${port} backlog 4096${tls === undefined ? "" : tlsWords(tls)}
  default_backend echo

backend echo
  server echo 127.0.0.1:${upstreamPort}
`;
}

function tlsWords({ pair }: TlsFiles): string {
  const { version, cipher, group } = tlsTerms;
  return ` ssl crt ${pair} ssl-min-ver ${version} ciphersuites ${cipher} curves ${group}`;
}
