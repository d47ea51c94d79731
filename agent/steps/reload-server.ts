import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import type { StepContext } from "../ports.ts";
import { ownDialect } from "./own-dialect.ts";

/** @throws Failure DATABASE_UNREACHABLE */
export async function reloadServer(
  context: Pick<StepContext, "databases" | "product">,
): Promise<void> {
  await context.databases.own.query((await ownDialect(context)).reload);
  crashPoint("step:reloaded");
}

/** A server that is down reads the file when it starts. Answers what was done, for people. */
export async function reloadIfRunning(
  context: Pick<StepContext, "databases" | "product">,
): Promise<string> {
  try {
    await reloadServer(context);
    return "the server was told to read it again";
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "DATABASE_UNREACHABLE") throw error;
    return "the server does not answer: it reads the file at its next start";
  }
}
