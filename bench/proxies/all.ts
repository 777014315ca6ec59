import { causeway, oneWorker } from "./causeway.ts";
import type { Contender } from "./contender.ts";
import { direct } from "./direct.ts";
import { envoy } from "./envoy.ts";
import { haproxy } from "./haproxy.ts";
import { nginx } from "./nginx.ts";

/** Every proxy there is, in the order of the reports. */
export const allProxies: readonly Contender[] = [causeway, oneWorker, nginx, haproxy, envoy, direct];
