import { haText, parseHaModule } from "#shared/config-files/ha-module.ts";
import { parsePoolConf, type PoolConf } from "#shared/config-files/pool-conf.ts";
import { poolSettings } from "#shared/config-files/pool-settings.ts";
import { Failure } from "#shared/errors.ts";
import { fileSize, poolParent, standardErrorFile } from "../adapters/pool-process.ts";
import type { FileSnapshot, StepContext } from "../ports.ts";
import type { AgentSettings } from "../settings.ts";

type PoolSettings = NonNullable<AgentSettings["pool"]>;

/** This host's pool as agent.yaml declares it. */
export function ownPool(context: Pick<StepContext, "settings">): PoolSettings {
  const { pool, node } = context.settings;
  if (pool !== null) return pool;
  throw new Failure("REFUSED", `${node} runs no pool`, {
    hint: "If it does, declare it under pool: in agent.yaml and restart the agent.",
  });
}

export type ReadPoolConf = { readonly snapshot: FileSnapshot; readonly conf: PoolConf };

export async function readPoolConf(
  file: string,
  { files }: Pick<StepContext, "files">,
): Promise<ReadPoolConf> {
  const snapshot = await files.read(file);
  if (snapshot === null) {
    throw new Failure("RESOURCE_MISSING", `${file} does not exist on this host`, {
      hint: "Correct pool.configFile in agent.yaml and in the cluster's declaration.",
    });
  }
  return { snapshot, conf: parsePoolConf(snapshot.text, file) };
}

/** The running pool's parent process; null where it can't be told. A pool of root's has a pid file for root only. */
export async function runningPool(
  conf: PoolConf,
  { rootHelper }: Pick<StepContext, "rootHelper">,
): Promise<number | null> {
  const { pidFile } = poolSettings(conf);
  const parent = pidFile === null ? null : await poolParent(pidFile);
  if (parent !== null || !(await rootHelper.verbs()).includes("pool-status")) return parent;
  const { stdout } = await rootHelper.run("pool-status");
  const pid = /^running ([1-9]\d*)$/m.exec(stdout)?.[1];
  return pid === undefined ? null : Number(pid);
}

export type LogPlace = { readonly file: string; readonly size: number };

/** The pool's log and its length now: behind its standard error, else where HAmodule.conf says; null if unreadable. */
export async function poolLog(
  parent: number,
  context: Pick<StepContext, "settings" | "files">,
): Promise<LogPlace | null> {
  const places = [await standardErrorFile(parent), await vendorLog(context)];
  for (const file of places) {
    const size = file === null ? null : await fileSize(file);
    if (file !== null && size !== null) return { file, size };
  }
  return null;
}

async function vendorLog(context: Pick<StepContext, "settings" | "files">): Promise<string | null> {
  const file = ownPool(context).haModuleFile;
  const snapshot = file === null ? null : await context.files.read(file);
  if (snapshot === null) return null;
  const module = parseHaModule(snapshot.text);
  const [folder, name] = [haText(module, "CLUSTER_LOG_PATH"), haText(module, "CLUSTER_LOG_NAME")];
  return folder === null || name === null ? null : `${folder}/${name}`;
}
