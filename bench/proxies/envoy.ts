import { join } from "node:path";
import { treeOf } from "../measure/processes.ts";
import { type TlsFiles, tlsTerms } from "../run/tls-files.ts";
import { type Contender, checkAnswers, outputOf, type ProxyPlan } from "./contender.ts";

/** Envoy with a thread for each worker, no statistics of single requests and its default buffers. */
export const envoy: Contender = {
  name: "envoy",
  warmupFactor: 1,

  async version() {
    return /version: \w+\/([\d.]+)/.exec((await outputOf(["envoy", "--version"])) ?? "")?.[1];
  },

  async prepare(plan) {
    const file = join(plan.folder, "envoy.json");
    await Bun.write(file, JSON.stringify(bootstrap(plan)));
    return [
      "envoy",
      "-c",
      file,
      "--concurrency",
      String(plan.workers),
      "--disable-hot-restart",
      "--log-level",
      "error",
    ];
  },

  checkReady: checkAnswers,

  async processes(_plan, child) {
    return treeOf(child.pid).map((pid) => ({ role: "worker", pid }));
  },
};

const limits = { max_connections: 1_000_000, max_pending_requests: 1_000_000, max_requests: 1_000_000 };

function bootstrap({ port, upstreamPort, tls }: ProxyPlan): object {
  const security = tls === undefined ? {} : { transport_socket: tlsSocket(tls) };
  return {
    static_resources: {
      listeners: [
        { name: "web", address: address(port), filter_chains: [{ filters: [connectionManager()], ...security }] },
      ],
      clusters: [
        {
          name: "echo",
          type: "STATIC",
          connect_timeout: "10s",
          circuit_breakers: { thresholds: [limits] },
          load_assignment: {
            cluster_name: "echo",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(upstreamPort) } }] }],
          },
        },
      ],
    },
  };
}

function connectionManager(): object {
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
      stat_prefix: "web",
      stream_idle_timeout: "0s",
      // By default Envoy keeps a connection it ends for another second, in which a client that waits for that end waits too.
      delayed_close_timeout: "0s",
      upgrade_configs: [{ upgrade_type: "websocket" }],
      route_config: {
        virtual_hosts: [
          {
            name: "all",
            domains: ["*"],
            routes: [{ match: { prefix: "/" }, route: { cluster: "echo", timeout: "0s" } }],
          },
        ],
      },
      http_filters: [
        {
          name: "envoy.filters.http.router",
          typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        },
      ],
    },
  };
}

function address(port: number): object {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}

function tlsSocket({ cert, key }: TlsFiles): object {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      common_tls_context: {
        tls_params: { tls_minimum_protocol_version: "TLSv1_3", ecdh_curves: [tlsTerms.group] },
        tls_certificates: [{ certificate_chain: { filename: cert }, private_key: { filename: key } }],
      },
    },
  };
}
