import { join } from "node:path";
import { treeOf } from "../measure/processes.ts";
import { type TlsFiles, tlsTerms } from "../run/tls-files.ts";
import { type Contender, checkAnswers, outputOf, type ProxyPlan } from "./contender.ts";

/** nginx with its default buffers. */
export const nginx: Contender = {
  name: "nginx",
  warmupFactor: 1,

  async version() {
    return /nginx\/(\S+)/.exec((await outputOf(["nginx", "-v"])) ?? "")?.[1];
  },

  async prepare(plan) {
    const file = join(plan.folder, "nginx.conf");
    await Bun.write(file, configuration(plan));
    return ["nginx", "-p", plan.folder, "-e", join(plan.folder, "error.log"), "-c", file];
  },

  checkReady: checkAnswers,

  async processes(_plan, child) {
    return treeOf(child.pid).map((pid) => ({ role: pid === child.pid ? "control" : "worker", pid }));
  },
};

function configuration({ folder, port, upstreamPort, workers, tls, oldStaysSeconds }: ProxyPlan): string {
  // Workers of a master that runs as root change to another user, who could not enter the folder.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  return `
daemon off;
${user}
worker_processes ${workers};
${oldStaysSeconds === undefined ? "" : `worker_shutdown_timeout ${oldStaysSeconds}s;`}
pid ${folder}/nginx.pid;
error_log ${folder}/error.log error;
events { worker_connections 16000; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
  upstream echo {
    server 127.0.0.1:${upstreamPort};
    keepalive 64;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port}${tls === undefined ? "" : " ssl"} backlog=4096;
${tls === undefined ? "" : tlsLines(tls)}
    location / {
      proxy_pass http://echo;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_read_timeout 1h;
      proxy_send_timeout 1h;
    }
  }
}
`;
}

function tlsLines({ cert, key }: TlsFiles): string {
  return `
    ssl_certificate ${cert};
    ssl_certificate_key ${key};
    ssl_protocols ${tlsTerms.version};
    ssl_conf_command Ciphersuites ${tlsTerms.cipher};
    ssl_ecdh_curve ${tlsTerms.group};`;
}
