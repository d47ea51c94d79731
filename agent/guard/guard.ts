import { randomUUID } from "node:crypto";
import type { CheckFacts, GuardFacts, GuardFinding } from "#shared/domain/facts.ts";
import type { GuardMode } from "#shared/domain/guard.ts";
import { forgetUnansweredFailover, unansweredFailover } from "../adapters/unanswered-failover.ts";
import { primariesOf } from "../decide/rules/pool-rules.ts";
import { decide, guardStateWith, type GuardState } from "../decide/decide.ts";
import { clearedDrafts } from "../decide/decisions.ts";
import { coordinatorVoteOf, selfFenceOf } from "../decide/isolation.ts";
import { marksAfter } from "../decide/marks-after.ts";
import { unrest } from "../decide/unrest.ts";
import type { GuardView } from "../decide/view.ts";
import type { HostEvent } from "../host-event.ts";
import type { ObservedFacts, Observer, ObserverPorts } from "../observe/observer.ts";
import type { Engine } from "./engine.ts";
import { keepDecision } from "./keep-decision.ts";
import { guardRecordFile } from "./guard-record.ts";
import type { MajorityContact } from "./majority-contact.ts";
import type { Sights } from "./sights.ts";
import { createLostKnowledge, type LostKnowledge } from "./lost-knowledge.ts";
import { createPatientWriter } from "./patient-writer.ts";
import { createTrustLook } from "./trust-look.ts";
import { createVendorLook } from "./vendor-at-work.ts";
import { createWalBudgetGuard, type WalBudgetGuard } from "./wal-budget-guard.ts";

export type Guard = {
  /**
   * The whole table against the whole state; what it decides is kept, told and begun. `beganMs`: before the first fact was
   * asked for.
   */
  look(seen: ObservedFacts, signs: Pick<Observer, "hasStalePid" | "hasDeadPool" | "messageAgeMs">, beganMs: number): Promise<Omit<GuardFacts, "checks">>; // prettier-ignore
  /** Of the latest look; null before the first. */
  view(): GuardView | null;
  /** At the latest look all was well here and at the others, and nobody is at work on this node. */
  isCalm(): boolean;
};

export type SelfFencePorts = {
  readonly majorityContact: MajorityContact;
  /** Of systemd; null where nobody would start a dead agent again. */
  readonly watchdogMs: number | null;
};

export function createGuard(
  ports: ObserverPorts,
  { majorityContact, watchdogMs }: SelfFencePorts,
  sights: Pick<Sights, "peers" | "reported" | "pools" | "silent" | "attend" | "isClose">,
  checks: () => readonly CheckFacts[],
  isCoordinatorConnected: () => boolean,
  engine: Pick<Engine, "act" | "progressOf">,
  onHostEvent: (event: HostEvent) => void,
): Guard {
  const { clock, log, settings, guardModes, guardMarks, reservations } = ports;
  const record = guardRecordFile(settings.stateDirectory);
  const trust = createTrustLook(ports);
  const vendorAtWork = createVendorLook(ports);
  const write = createPatientWriter(ports, writtenWithinMs);
  let latest: GuardView | null = null;
  let isCalm = false;
  /** null before the first look. */
  let recalled: Recalled | null = null;

  async function recall(): Promise<Recalled> {
    const { findings, openCauses, synchronous = null } = await record.load();
    return {
      budget: createWalBudgetGuard(ports, onHostEvent, openCauses),
      lost: createLostKnowledge(ports, onHostEvent, openCauses),
      state: guardStateWith(findings, synchronous),
    };
  }

  return {
    view: () => latest,
    isCalm: () => isCalm && !sights.isClose() && reservations.current().length === 0,
    look: async (seen, signs, beganMs) => {
      const { budget, lost, state } = (recalled ??= await recall());
      const now = clock.now();
      const mode = guardModes.current();
      const cluster = ports.clusterView.current();
      const view: GuardView = {
        facts: seen,
        node: settings.node,
        hasStalePid: signs.hasStalePid(),
        hasDeadPool: signs.hasDeadPool(),
        messageAgeMs: signs.messageAgeMs(),
        limits: settings.guard.slots,
        policy: settings.guard,
        cluster,
        peers: sights.peers(),
        reported: sights.reported(),
        pools: sights.pools(),
        checks: checks(),
        unanswered: await unansweredFailover(settings.stateDirectory),
        marks: guardMarks.current(),
        coordinatorConnected: isCoordinatorConnected(),
        coordinatorIsVoter: coordinatorVoteOf(settings.coordinator.url, cluster),
        withoutMajorityMs: majorityContact.agoMs(),
        trustAnswers: trust.answers(),
        elapsedMs: clock.elapsedMs(),
        vendorAtWork: vendorAtWork(seen.files),
        isToAct: guardModes.lasting() === "enforce",
      };
      latest = view;
      const off = unrest(view);
      sights.attend(off);
      trust.attend(view);
      const selfFence = selfFenceOf(view, mode.mode, watchdogMs);
      majorityContact.attend(view, selfFence !== null);
      const decided = decide(state, view, now);
      recalled = { budget, lost, state: decided.state };
      isCalm = off.length === 0 && Object.values(decided.state.rules).every(({ finding, against }) => finding === null && against === 0); // prettier-ignore
      lost.look(now);
      // Told before anything is written: a disk that hangs is what may have to be told of.
      for (const finding of decided.opened) onHostEvent(findingEvent(finding, mode, now));
      for (const finding of decided.cleared) onHostEvent(clearedEvent(finding, now));
      for (const draft of clearedDrafts(decided, view)) {
        await keepDecision(ports, { id: randomUUID(), at: now, node: settings.node, ...draft });
      }
      await engine.act(decided, view, { now, beganMs });
      await budget.enforce(seen).catch((error: unknown) => {
        log.error({ error }, "The WAL budget could not be looked at; the next look tries again.");
      });
      const { synchronous } = decided.state.memory;
      await write("What the guard found", async () => {
        if (view.unanswered !== null && primariesOf(view).length > 0) {
          await forgetUnansweredFailover(settings.stateDirectory);
        }
        await guardMarks.note(seen.database, now);
        const marks = marksAfter(view);
        if (marks !== null) await guardMarks.mark(marks);
        await record.save({
          findings: [...decided.findings],
          openCauses: [...budget.openCauses(), ...lost.openCauses()],
          hasMode: guardModes.isKept(),
          hasMarks: guardMarks.isKept(),
          synchronous: synchronous && { node: synchronous.node, names: synchronous.names },
        });
      });
      const { mode: name, ...maintenance } = mode;
      return {
        mode: name,
        maintenance: name === "maintenance" ? maintenance : null,
        lasting: guardModes.lasting(),
        vendorAtWork: view.vendorAtWork,
        walDisk: budget.walDisk(),
        findings: decided.findings.map((finding) => {
          const progress = engine.progressOf(finding.rule);
          return progress === null ? finding : { ...finding, progress };
        }),
        reserved: reservations.current().map(({ class: touches, by }) => ({ class: touches, by })),
        nearMisses: [...decided.nearMisses],
        selfFence,
        silent: sights.silent(),
      };
    },
  };
}

const writtenWithinMs = 2_000;

type Recalled = {
  readonly budget: WalBudgetGuard;
  readonly lost: LostKnowledge;
  readonly state: GuardState;
};

function findingEvent(finding: GuardFinding, { mode, until }: GuardMode, at: number): HostEvent {
  const { rule, because, severity, would, evidence, next } = finding;
  const during =
    mode !== "maintenance" || until === null
      ? []
      : [`during maintenance, until ${new Date(until).toISOString()}`];
  return {
    at,
    kind: "guard-finding",
    cause: `guard:${rule}`,
    severity,
    summary: `${rule}: ${because}`,
    detail: [
      evidence,
      ...would.map((what) => `${mode === "enforce" ? "does" : "would"}: ${what}`),
      ...(next === undefined ? [] : [`next: ${next}`]),
      ...during,
    ].join("\n"),
  };
}

function clearedEvent({ rule, because }: GuardFinding, at: number): HostEvent {
  return {
    at,
    kind: "guard-cleared",
    cause: `guard:${rule}`,
    severity: "info",
    summary: `${rule}: no longer so (${because})`,
    detail: "",
  };
}
