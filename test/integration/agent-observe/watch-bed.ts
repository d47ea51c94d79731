import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import type { HostEvent } from "#agent/host-event.ts";
import { createFileObserver, type FileObserver } from "#agent/observe/files.ts";
import { createFileWatch, type FileWatch } from "#agent/watch/file-watch.ts";
import { createNodePorts, settingsFor, type NodePorts } from "./node-ports.ts";

export const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

export type WatchBed = AsyncDisposable & {
  readonly folder: string;
  readonly conf: string;
  readonly hba: string;
  readonly node: NodePorts;
  readonly files: FileObserver;
  readonly watch: FileWatch;
  readonly events: HostEvent[];
  /** Makes what is on disk now the accepted content of both files. */
  accept(): Promise<void>;
  drift(path: string): HostEvent[];
};

/** The watch of one PostgreSQL node on real files; `existing` is the folder of an earlier one. */
export async function createBed(existing?: string): Promise<WatchBed> {
  const folder = existing ?? mkdtempSync(join(tmpdir(), "castellan-watch-"));
  folders.push(folder);
  const data = join(folder, "data");
  if (existing === undefined) {
    mkdirSync(data);
    writeFileSync(join(data, "postgresql.conf"), "port = 5432\nmax_wal_senders = 4\n");
    writeFileSync(join(data, "pg_hba.conf"), "local all all peer\n");
  }
  const conf = join(data, "postgresql.conf");
  const hba = join(data, "pg_hba.conf");
  const node = await createNodePorts({
    settings: settingsFor({
      node: "srv127",
      product: "postgresql",
      paths: {
        root: null,
        binDirectory: "/usr/lib/postgresql/15/bin",
        dataDirectory: data,
        configFile: conf,
        hbaFile: hba,
        identFile: join(data, "pg_ident.conf"),
      },
      database: { host: "127.0.0.1", port: 1, name: "postgres", user: "postgres" },
      stateDirectory: join(folder, "state"),
      limits: { watchedFileBytes: 100_000 },
    }),
    databasePassword: null,
  });
  const events: HostEvent[] = [];
  const files = createFileObserver(node.ports);
  const watch = await createFileWatch({
    ports: node.ports,
    files,
    expected: node.expected,
    onHostEvent: (event) => events.push(event),
    onChange: () => undefined,
  });
  return {
    folder,
    conf,
    hba,
    node,
    files,
    watch,
    events,
    accept: async () => {
      watch.setBaselines([
        { path: conf, hash: hashOf(conf) },
        { path: hba, hash: hashOf(hba) },
        { path: join(data, "standby.signal"), hash: null },
      ]);
      await watch.poll();
    },
    drift: (path) => events.filter((event) => event.cause === `file:${path}`),
    [Symbol.asyncDispose]: async () => {
      await watch[Symbol.asyncDispose]();
      await node[Symbol.asyncDispose]();
    },
  };
}

export function hashOf(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

export const inTime = { timeoutMs: 1_000, intervalMs: 10 };
