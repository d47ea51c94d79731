import { walBudgetRules } from "./decide/wal-budget.ts";
import type { DiskVerdict, WalBudgetInput, WalBudgetVerdict } from "./decide/wal-budget.ts";
import type { HostEvent } from "./host-event.ts";
import type { Ports } from "./ports.ts";
import type { DropDecision } from "./slot-entries.ts";

/** What the WAL budget tells, one alert a cause: opened once, ended when the cause is gone. */
export type WalBudgetAlerts = {
  openCauses(): readonly string[];
  near(verdict: WalBudgetVerdict): void;
  within(verdict: WalBudgetVerdict): void;
  dropped(name: string, forNode: string, decision: DropDecision): void;
  /** At most once a minute: a drop that failed is tried at every look. */
  stuck(name: string, decision: DropDecision, problem: string): void;
  replaced(name: string, forNode: string, isReplaced: boolean, isThere: boolean): void;
  streamsAgain(name: string, forNode: string): void;
  /** Causes about slots that the ledger does not name are over. */
  keepOnly(names: ReadonlySet<string>): void;
  disk(verdict: DiskVerdict, input: WalBudgetInput): void;
};

const tellAgainMs = 60_000;
/** Looks in a row without danger before the disk's alert ends: a load has its breaks. */
const calmLooks = 5;
const slotCauses: ReadonlySet<string> = new Set(["wal-budget", "slot-dropped", "slot-replaced"]);
const next = "next: castellan slot list, and docs/slots.md";

export function createWalBudgetAlerts(
  { clock, log }: Pick<Ports, "clock" | "log">,
  onHostEvent: (event: HostEvent) => void,
  openBefore: readonly string[],
): WalBudgetAlerts {
  const open = new Set(openBefore);
  const stuckToldAt = new Map<string, number>();
  let calm = 0;

  function report(cause: string, severity: HostEvent["severity"], summary: string, detail = "") {
    onHostEvent({ at: clock.now(), kind: "wal-budget", cause, severity, summary, detail });
  }

  function tell(cause: string, severity: "warning" | "critical", summary: string, detail: string) {
    open.add(cause);
    report(cause, severity, summary, detail);
  }

  function end(cause: string, summary: string, detail = ""): void {
    if (open.delete(cause)) report(cause, "info", summary, detail);
  }

  return {
    openCauses: () => [...open],
    near: ({ slot: { name }, rule, reason }) => {
      const cause = `wal-budget:${name}`;
      if (open.has(cause)) return;
      const detail = `rule ${rule}: ${walBudgetRules[rule]}\n${reason}`;
      tell(cause, "warning", `slot ${name} nears its WAL budget`, detail);
    },
    within: ({ slot: { name }, reason }) => {
      stuckToldAt.delete(name);
      // Made anew by an operation: what was said of the one before is over.
      end(`slot-dropped:${name}`, `slot ${name} was made anew`, reason);
      end(`wal-budget:${name}`, `slot ${name} is back under its WAL budget`, reason);
    },
    dropped: (name, forNode, decision) => {
      const { rule, reason, facts, needsRebuild } = decision;
      const node = forNode || "its standby";
      log.warn(
        { slot: name, node, rule, reason, facts },
        "A slot of ours was dropped for its WAL.",
      );
      stuckToldAt.delete(name);
      end(`wal-budget:${name}`, `slot ${name} is gone`, "dropped for its WAL");
      const summary = needsRebuild
        ? `slot ${name} was dropped: ${node} needs a rebuild`
        : `slot ${name} was dropped on this standby: ${node} could not follow this node any more`;
      const done = "its walsender was ended, the slot dropped and a checkpoint asked for";
      const detail = [decisionText(name, decision), done, next].join("\n");
      tell(`slot-dropped:${name}`, "critical", summary, detail);
    },
    stuck: (name, decision, problem) => {
      const toldAt = stuckToldAt.get(name) ?? Number.NEGATIVE_INFINITY;
      if (clock.elapsedMs() - toldAt < tellAgainMs) return;
      stuckToldAt.set(name, clock.elapsedMs());
      log.error({ slot: name, problem }, "A slot over its WAL budget stays.");
      const summary = `slot ${name} is over its WAL budget and could not be dropped`;
      const detail = `${decisionText(name, decision)}\n${problem}`;
      tell(`wal-budget:${name}`, "critical", summary, detail);
    },
    replaced: (name, forNode, isReplaced, isThere) => {
      const cause = `slot-replaced:${name}`;
      if (!isReplaced) end(cause, `slot ${name} is no longer another's`);
      if (!isReplaced || !isThere || open.has(cause)) return;
      const summary = `slot ${name} is not the one that Castellan made for ${forNode}: someone dropped that and made another`;
      const detail =
        "It is treated as any slot that is not ours: reported, never dropped, outside of the WAL budget. docs/slots.md says how it is told apart.";
      tell(cause, "warning", summary, detail);
    },
    streamsAgain: (name, forNode) => {
      end(`slot-dropped:${name}`, `${forNode} streams from here again`);
    },
    keepOnly: (names) => {
      for (const cause of open) {
        const [kind = "", name = ""] = cause.split(":");
        if (!slotCauses.has(kind) || names.has(name)) continue;
        end(cause, `slot ${name} is gone: the operation that made it took it back`);
      }
    },
    disk: ({ rule, reason, but }, input) => {
      const cause = "wal-disk";
      calm = rule === null ? calm + 1 : 0;
      if (rule === null) {
        if (calm >= calmLooks) end(cause, "there is space for WAL again", reason);
        return;
      }
      // Nothing of ours helps: a person has to.
      if (but === null || input.isCheckpointing || open.has(cause)) return;
      log.warn({ rule, reason, but }, "The WAL's disk fills, and no slot of ours is the reason.");
      const { slots, keepers, disk, fillBytesPerSecond } = input;
      const facts = `facts ${JSON.stringify({ slots, keepers, disk, fillBytesPerSecond })}`;
      const detail = [`rule ${rule}: ${walBudgetRules[rule]}`, reason, but, facts, next].join("\n");
      const summary = "the disk of the WAL fills, and no slot of ours is the reason";
      tell(cause, "critical", summary, detail);
    },
  };
}

/** The rule and the facts, as they are in the ledger. */
function decisionText(name: string, { at, rule, reason, facts }: DropDecision): string {
  const because = Object.entries(walBudgetRules).find(([id]) => id === rule)?.[1] ?? "";
  const lines = [`rule ${rule}: ${because}`, reason, `facts ${JSON.stringify(facts)}`];
  return [...lines, `decision ${name}@${at}`].join("\n");
}
