import type { UpstreamNotice } from "../../core/endpoint-state.ts";
import { formatDuration } from "../../kit/duration.ts";
import type { EventLog } from "../event-log.ts";

/** Logs what a worker has found out about an upstream. */
export function logNotice(log: EventLog, worker: string, notice: UpstreamNotice): void {
  const { upstream } = notice;
  switch (notice.event) {
    case "endpoint-ejected": {
      const { address: endpoint, why, forMs } = notice;
      const says = `${endpoint} of ${upstream} is out for ${formatDuration(forMs)} in worker ${worker}: ${why}`;
      return log.warn("endpoint-ejected", says, { worker, upstream, endpoint, why, forMs });
    }
    case "endpoint-back": {
      const { address: endpoint } = notice;
      return log.info("endpoint-back", `${endpoint} of ${upstream} is back in worker ${worker}`, {
        worker,
        upstream,
        endpoint,
      });
    }
    case "upstream-panic": {
      const { usable, of } = notice;
      const says = `${usable} of ${of} endpoints of ${upstream} are usable, so worker ${worker} tries all of them`;
      return log.error("upstream-panic", says, { worker, upstream, usable, of });
    }
    case "upstream-calm": {
      const { usable, of } = notice;
      const says = `${usable} of ${of} endpoints of ${upstream} are usable, and worker ${worker} goes by health again`;
      return log.info("upstream-calm", says, { worker, upstream, usable, of });
    }
  }
}
