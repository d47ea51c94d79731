import { crashPoint } from "#shared/crash-point.ts";
import type { StepContext } from "../ports.ts";
import { ownDialect } from "./own-dialect.ts";
import { text } from "./row-values.ts";
import { watchProgress } from "./watch-progress.ts";

type Context = Pick<StepContext, "databases" | "product" | "clock" | "signal">;

export const synchronousListName = "synchronous_standby_names";

/** What is in force. */
export async function showSynchronousList({ databases }: Context): Promise<string> {
  const [row] = await databases.own.query(`SHOW ${synchronousListName}`);
  return row === undefined ? "" : text(row, synchronousListName);
}

/** Where ALTER SYSTEM writes. */
export function autoConfPath({
  settings,
  product,
}: Pick<StepContext, "settings" | "product">): string {
  return `${settings.paths.dataDirectory}/${product.files.autoConf}`;
}

/** ALTER SYSTEM takes no parameters, so a value with a quote is refused. */
export async function writeSynchronousList(value: string, context: Context): Promise<void> {
  if (/['\\\0\n]/.test(value)) throw new RangeError("a list with a quote in it");
  await context.databases.own.query(`ALTER SYSTEM SET ${synchronousListName} = '${value}'`);
  crashPoint("step:setting-written");
  await context.databases.own.query((await ownDialect(context)).reload);
  crashPoint("step:reloaded");
}

/** A reload is a signal: each session has the new value a moment later. */
export async function awaitSynchronousList(value: string, context: Context): Promise<void> {
  await watchProgress(
    context,
    { stallMs: 5_000, everyMs: 20, what: synchronousListName },
    async () => {
      const current = await showSynchronousList(context);
      if (current === value) return { state: "done", value: null };
      const missing = `it is '${current}', it should be '${value}'`;
      return { state: "waiting", token: current, missing };
    },
  );
}
