import { rm } from "node:fs/promises";
import * as z from "zod";
import { readSmallFile } from "./local-system.ts";

/** A pool has lost its primary, and the coordinator did not answer: it asks once. Left by castellan-failover for the agent. */
const Unanswered = z.strictObject({ at: z.number(), lost: z.string() });
export type Unanswered = z.infer<typeof Unanswered>;

export const unansweredFile = (stateDirectory: string): string => `${stateDirectory}/failover-unanswered.json`; // prettier-ignore

export async function unansweredFailover(stateDirectory: string): Promise<Unanswered | null> {
  const text = await readSmallFile(unansweredFile(stateDirectory)).catch(() => null);
  if (text === null) return null;
  try {
    return Unanswered.parse(JSON.parse(text));
  } catch {
    return null; // being written
  }
}

export async function forgetUnansweredFailover(stateDirectory: string): Promise<void> {
  await rm(unansweredFile(stateDirectory), { force: true });
}
