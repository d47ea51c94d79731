import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { apiRoutes } from "#coordinator/api/api-routes.ts";
import { startApiServer } from "#coordinator/api/server.ts";
import { createApiClient } from "#coordinator/cli/client.ts";
import { printClusterYaml } from "#coordinator/cluster-file/print-cluster.ts";
import { startCore } from "#coordinator/core.ts";
import { someCluster } from "./some-plan.ts";
import { makeStateFolder, quickSettings, quietLog } from "./test-coordinator.ts";

/** A coordinator with its API and one declared cluster, ESHA. */
export async function startApiLab() {
  const folder = await makeStateFolder();
  writeFileSync(join(folder.path, "clusters", "ESHA.yaml"), printClusterYaml(someCluster));
  const settings = quickSettings(folder.path);
  const core = await startCore(settings, quietLog);
  const socketPath = join(folder.path, "api.sock");
  const routes = apiRoutes({
    ...core.ports,
    runner: core.runner,
    alerting: core.alerting,
    sendBufferBytes: settings.limits.sendBufferBytes,
    addNodeLimits: settings.addNode,
    joinLine: () => "",
    backup: () => Buffer.alloc(0),
  });
  const api = await startApiServer({ socketPath, maxBodyBytes: 1_000, log: quietLog, routes });
  return {
    folder,
    core,
    client: createApiClient(socketPath),
    [Symbol.asyncDispose]: async () => {
      await api[Symbol.asyncDispose]();
      await core[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}
