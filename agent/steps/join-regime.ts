import * as z from "zod";
import type { CommandArgs, Evidence } from "#shared/domain/commands.ts";
import { incompleteMarker } from "#shared/domain/names.ts";
import { Failure } from "#shared/errors.ts";
import type { StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { undoOwnFile, writeOwnFile } from "./own-file.ts";
import type { ChangeStep } from "./step.ts";

type Args = CommandArgs<"join-regime">;

const RegimeFacts = z.object({
  cronLine: z.enum(["active", "commented", "none"]),
  joined: z.boolean(),
});

/**
 * From here on the node is a full member: our marker goes, and the vendor's per-minute check gets its line, active
 * where it is still in charge, else commented. The run flag comes first: without it, or with anything but 0, the
 * check's first run rewinds the node (public vendor script, build B0290).
 */
export const joinRegime: ChangeStep<"join-regime"> = {
  check: async (args, context) => {
    const facts = await ownFacts(context, regimeKey(args), RegimeFacts);
    const marked = await context.files.stat(markerOf(args));
    return facts?.joined === true && marked === null ? report(args, context) : null;
  },
  apply: async (args, context) => {
    const cronLine = cronLineFor(args, context);
    await noteOwn(context, regimeKey(args), { cronLine, joined: false });
    const { vendor } = context.product;
    if (vendor !== null && args.vendorInCharge) {
      // Mode as the vendor's script, run by the same user, makes it.
      const flag = { path: vendor.runFlagFile, text: "0\n", mode: 0o644 };
      await writeOwnFile(context, "regime", flag);
    }
    if (cronLine !== "none") await context.rootHelper.run(`cron-install-node-line-${cronLine}`);
    await context.files.remove(markerOf(args));
    await noteOwn(context, regimeKey(args), { cronLine, joined: true });
  },
  verify: async (args, context) => {
    if ((await context.files.stat(markerOf(args))) !== null) {
      throw new Failure("VERIFICATION_FAILED", `${markerOf(args)} is still there`, {
        retryable: true,
      });
    }
    return report(args, context);
  },
  undo: async (args, context) => {
    const facts = await ownFacts(context, regimeKey(args), RegimeFacts);
    if (facts === null) return evidence(["the node had not joined"]);
    const lines: string[] = [];
    if (facts.cronLine !== "none") {
      await context.rootHelper.run("cron-remove-node-line");
      lines.push("the vendor's cron line is removed");
    }
    const { vendor } = context.product;
    if (vendor !== null && args.vendorInCharge) {
      lines.push(await undoOwnFile(context, vendor.runFlagFile));
    }
    // What is left of the node must not be started by anyone while the rest of it is undone.
    if ((await context.files.stat(args.dataDirectory)) !== null) {
      await context.files.replace(markerOf(args), `${context.operationId}\n`, 0o600);
      lines.push(`${incompleteMarker} is back`);
    }
    await context.ledger.delete(regimeKey(args));
    return evidence(lines);
  },
};

/** none: no vendor machinery, or no root helper that could write to cron's directory. */
function cronLineFor(args: Args, context: StepContext): z.infer<typeof RegimeFacts>["cronLine"] {
  if (context.product.vendor === null || context.settings.rootHelper === null) return "none";
  return args.vendorInCharge ? "active" : "commented";
}

async function report(args: Args, context: StepContext): Promise<Evidence> {
  const facts = await ownFacts(context, regimeKey(args), RegimeFacts);
  const { vendor } = context.product;
  const lines = [`${incompleteMarker} is gone: the node is a full member`];
  if (vendor === null) return evidence(lines);
  if (facts === null || facts.cronLine === "none") {
    const state = args.vendorInCharge ? "" : ", commented";
    const check = vendor.nodeCheck(context.settings.paths.binDirectory);
    lines.push(
      `no root helper here: put the line of ${check} into ${vendor.cronFile} by hand${state}`,
    );
  } else {
    lines.push(`${vendor.cronFile}: this node's own line is there, ${facts.cronLine}`);
  }
  if (args.vendorInCharge) lines.push(`${vendor.runFlagFile} is 0`);
  return evidence(lines);
}

function markerOf(args: Args): string {
  return `${args.dataDirectory}/${incompleteMarker}`;
}

function regimeKey(args: Args): string {
  return ledgerKey.regime(args.dataDirectory);
}
