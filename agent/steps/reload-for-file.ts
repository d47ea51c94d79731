import type { FileFormat } from "#shared/domain/facts.ts";
import { Failure } from "#shared/errors.ts";
import { openPcp, type Pcp } from "../adapters/pcp.ts";
import { askFileSettings } from "../observe/file-settings.ts";
import type { StepContext } from "../ports.ts";
import { ownDialect } from "./own-dialect.ts";
import { readPoolConf, runningPool } from "./pool-place.ts";
import { reloadIfRunning } from "./reload-server.ts";
import { reloadPool } from "./reload-pool.ts";

/** Who reads a file of this format, and when. pgpool docs: pcp.conf is read at its start. */
const readers: Readonly<
  Record<FileFormat, "server" | "pool" | "at-server-start" | "at-pool-start" | "each-time">
> = {
  "server-conf": "server",
  "auto-conf": "server",
  hba: "server",
  ident: "server",
  "recovery-conf": "at-server-start",
  signal: "at-server-start",
  "pool-conf": "pool",
  "pool-hba": "pool",
  "pool-passwd": "pool",
  "pcp-conf": "at-pool-start",
  "ha-module": "each-time",
  cron: "each-time",
  pass: "each-time",
};

/** Has whoever reads the file read it again (`tell`), where a reload suffices. Answers what is so now, for people. */
export async function reloadFor(
  { format }: { readonly format: FileFormat },
  context: StepContext,
  { tell }: { readonly tell: boolean },
): Promise<readonly string[]> {
  switch (readers[format]) {
    case "server":
      return tell ? [await reloadIfRunning(context)] : waitingForRestart(context);
    case "pool":
      return tell ? [await reloadOwnPool(context)] : [];
    case "at-server-start":
      return ["the server reads it at its next start: restart it when that suits"];
    case "at-pool-start":
      return ["the pool reads it at its next start: restart it when that suits"];
    case "each-time":
      return [];
  }
}

async function reloadOwnPool(context: StepContext): Promise<string> {
  const { pool, node } = context.settings;
  if (pool === null) return `${node} runs no pool`;
  await using pcp = await openPcp(context);
  const { conf } = await readPoolConf(pool.configFile, context);
  const parent = await runningPool(conf, context);
  if (parent === null && !(await isAnswering(pcp))) {
    return "no pool runs here: it reads the file when it is started";
  }
  return `the pool was ${await reloadPool(parent, pcp, context)}`;
}

async function isAnswering(pcp: Pcp): Promise<boolean> {
  try {
    await pcp.node(0);
    return true;
  } catch (error) {
    if (error instanceof Failure && error.code === "POOL_UNREACHABLE") return false;
    throw error;
  }
}

/** By the files as they stand: the server itself reads them a moment after it was told to. */
async function waitingForRestart(context: StepContext): Promise<readonly string[]> {
  try {
    const dialect = await ownDialect(context);
    const { fileSettings = [] } = await askFileSettings(context.databases.own, dialect);
    const waiting = fileSettings.filter(({ state }) => state === "waits-for-restart");
    const names = [...new Set(waiting.map(({ name }) => name))].toSorted();
    return names.length === 0 ? [] : [`waits for a restart of the server: ${names.join(", ")}`];
  } catch (error) {
    if (error instanceof Failure && error.code === "DATABASE_UNREACHABLE") return [];
    throw error;
  }
}
