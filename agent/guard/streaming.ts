import { parseConninfo } from "#shared/config-files/conninfo.ts";
import type { ClusterView } from "#shared/domain/cluster-view.ts";
import { Failure } from "#shared/errors.ts";
import { ownDialect } from "../steps/own-dialect.ts";
import { text } from "../steps/row-values.ts";
import { findSlot } from "../steps/slots.ts";
import { watchProgress } from "../steps/watch-progress.ts";
import type { NewPrimary, SeenPrimary } from "./new-primary.ts";
import type { GuardStepContext } from "./steps/step.ts";

/** It streams within a second, or it says in its log why it can't. */
const stallMs = 15_000;

/**
 * Not while the primary itself is gone: another one may be there by now.
 * @throws Failure STALLED, saying what is seen instead; DATABASE_UNREACHABLE without the primary
 */
export async function awaitStreaming(
  step: NewPrimary,
  primary: SeenPrimary,
  context: GuardStepContext,
): Promise<void> {
  await watchProgress(
    context,
    { stallMs, everyMs: 25, what: `streaming from ${step.node}` },
    async () => {
      const missing = await receiverProblem(step, context).catch(whileUnreachable);
      if (missing === null) return { state: "done", value: null };
      await primary.session.query(primary.dialect.isInRecovery);
      return { state: "waiting", token: missing, missing };
    },
  );
}

/** null when our own receiver streams from it; else what is seen instead. */
export async function receiverProblem(
  { host, port }: NewPrimary,
  context: GuardStepContext,
): Promise<string | null> {
  const { receiver: sql } = await ownDialect(context);
  const [receiver] = await context.databases.own.query(sql);
  if (receiver === undefined) return "no WAL receiver runs";
  const { values } = parseConninfo(text(receiver, "conninfo"));
  const from = `${values.get("host") ?? "?"}:${values.get("port") ?? "?"}`;
  const status = text(receiver, "status");
  return status === "streaming" && from === `${host}:${port}` ? null : `the WAL receiver is ${status} (${from})`; // prettier-ignore
}

/** Right after a start our own session is on its way. */
function whileUnreachable(error: unknown): string {
  if (error instanceof Failure && error.code === "DATABASE_UNREACHABLE") return "no session yet";
  throw error;
}

/** Slots aren't replicated: one that is missing is made anew, but none of a name that is not declared as this node's. */
export async function assureSlot(
  slot: string | null,
  { session, dialect }: SeenPrimary,
  { view }: GuardStepContext,
): Promise<void> {
  if (slot === null || (await findSlot(session, dialect, slot)) !== null) return;
  if (declaredSlot(view.cluster, view.node) !== slot) {
    throw new Failure(
      "NOT_FOUND",
      `the new primary has no slot ${slot}, and it isn't the one that is declared for ${view.node}`,
      {
        // prettier-ignore
        hint: `Make it there: ${dialect.createSlot.replace("$1", `'${slot}'`).replace("$2", "false")}`,
      },
    );
  }
  await session.query(dialect.createSlot, [slot, false]);
}

function declaredSlot(cluster: ClusterView | null, node: string): string | null {
  return cluster?.nodes.find(({ name }) => name === node)?.slot ?? null;
}
