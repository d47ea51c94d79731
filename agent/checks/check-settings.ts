import { validate } from "node-cron";
import * as z from "zod";
import { GuardFinding } from "#shared/domain/facts.ts";
import { AbsolutePath, Address, Name } from "#shared/domain/names.ts";
import { parseThreshold } from "./threshold.ts";

/** Parts of agent.yaml, `guard`, that are about periodic checks. All of it may be left out. */

const Schedule = z.string().refine(validate, {
  error: 'no schedule: six fields, e.g. "*/30 * * * * *" for every 30 seconds',
});

export const Schedules = z.strictObject({
  rehash: Schedule,
  host: Schedule,
  guard: Schedule,
  disk: Schedule.default("0 * * * * *"),
  trust: Schedule.default("15 * * * * *"),
  licence: Schedule.default("0 0 * * * *"),
  clock: Schedule.default("30 * * * * *"),
  vip: Schedule.default("45 */5 * * * *"),
});

export const DiskSettings = z
  .strictObject({
    /** The data directory where it is left out. */
    directories: z.array(AbsolutePath).min(1).optional(),
    timeoutMs: z.int().min(100).default(10_000),
  })
  .prefault({});

export const TrustAddresses = z.array(Address).default([]);

const Threshold = z.string().refine((text) => parseThreshold(text) !== null, {
  error: 'no comparison with a number, e.g. "> 600"',
});

const common = {
  name: Name,
  schedule: Schedule,
  timeoutMs: z.int().min(100).max(3_600_000).default(10_000),
  /** Told when the check says nothing: it can't be run, hangs, has no number, or exits with 3 (unknown). */
  severity: GuardFinding.shape.severity.default("warning"),
};

const SqlCheck = z
  .strictObject({
    ...common,
    /** One SELECT; the first column of its first row is compared. */
    sql: z.string().min(1),
    warning: Threshold.optional(),
    critical: Threshold.optional(),
  })
  .refine(({ warning, critical }) => warning !== undefined || critical !== undefined, {
    error: "needs warning, critical or both",
  });

const ProgramCheck = z.strictObject({
  ...common,
  program: AbsolutePath,
  /** Seen by everyone on this host: no secrets. */
  args: z.array(z.string()).default([]),
});

/** Read as what its keys say that it is: a union would only tell that it is neither. */
const SiteCheck = z.looseObject({}).transform((check, context) => {
  const parsed = ("sql" in check ? SqlCheck : ProgramCheck).safeParse(check);
  if (parsed.success) return parsed.data;
  for (const { path, message } of parsed.error.issues) {
    context.addIssue({ code: "custom", path, message });
  }
  return z.NEVER;
});
export type SiteCheck = z.infer<typeof SiteCheck>;

const taken = new Set(Object.keys(Schedules.shape));

export const SiteChecks = z
  .array(SiteCheck)
  .superRefine((checks, context) => {
    const seen = new Set(taken);
    for (const [index, { name }] of checks.entries()) {
      if (seen.has(name)) {
        const message = `${name} is the name of another check`;
        context.addIssue({ code: "custom", path: [index, "name"], message });
      }
      seen.add(name);
    }
  })
  .default([]);
