import type { DriftAnswer, DriftShown } from "#coordinator/api/drift-contract.ts";
import type { AlertRecord } from "#coordinator/store/store.ts";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const hosts = [
  { name: "srv127", address: "192.168.4.127" },
  { name: "srv129", address: "192.168.4.129" },
  { name: "coord", address: "192.168.4.10" },
];

/** Of what only a slow machine makes slow. */
export const soon = { timeoutMs: 20_000, intervalMs: 50 };

/** Two nodes whose files were all seen and accepted. What is read and written by hand is srv127's. */
export async function startDriftBed(options: { readonly crashPoints?: boolean } = {}) {
  const lab = await testLab({ hosts });
  const cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127", "srv129"] });
  const castellan = await installCastellan(cluster, {
    coordinatorHost: lab.host("coord"),
    ...options,
  });
  await castellan.cli(["cluster", "import", cluster.name]);
  const { host, paths } = cluster.node("srv127");
  const list = () => castellan.json<DriftAnswer>(["drift", "list"]);
  const show = (file: string) => castellan.json<DriftShown>(["drift", "show", "srv127", file]);
  await waitFor(async () => {
    const known = await castellan.cli(["file", "history", "srv127", paths.hbaFile], { reject: false }); // prettier-ignore
    return known.exitCode === 0 && (await list()).files.length === 0;
  }, { ...soon, what: "the first sight of every file" }); // prettier-ignore
  return {
    cluster,
    castellan,
    host,
    paths,
    list,
    show,
    read: (path: string) => host.readFile(path),
    write: (path: string, text: string) => host.writeFile(path, text),
    drifted: (path: string) =>
      waitFor(async () => (await list()).files.find((item) => item.path === path), {
        ...soon,
        what: `drift of ${path}`,
      }),
    alertOf: async (cause: string) => {
      const alerts = await castellan.json<readonly AlertRecord[]>(["alert", "list"]);
      return alerts.find((alert) => alert.cause === cause);
    },
    [Symbol.asyncDispose]: async () => {
      await castellan[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    },
  };
}
