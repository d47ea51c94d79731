import { Failure } from "#shared/errors.ts";
import { guardMoment } from "../fleet/guard-moment.ts";
import { retryRules } from "../operations/after-failure.ts";
import type { AgentView, CoordinatorPorts } from "../ports.ts";
import type { EventRecord, OperationRecord } from "../store/store.ts";
import type { WhyAnswer } from "./contract.ts";

/**
 * Why an operation went as it did, or a node is as it is: from the journal and the latest facts; or how the node was `at`
 * that moment, from the decisions of its guard.
 */
export function why(ports: CoordinatorPorts, subject: string, at: number | null): WhyAnswer {
  const operation = ports.store.operation(subject);
  if (operation !== null && at !== null) {
    throw new Failure("USAGE", `${subject} is an operation: --at goes with a node.`, {
      hint: `castellan why ${subject}`,
    });
  }
  if (operation !== null) return whyOperation(ports, operation);
  const view = ports.fleet.agent(subject);
  if (view !== null) return at === null ? whyNode(ports, view) : whyThen(ports, view, at);
  throw new Failure("NOT_FOUND", `There is no operation or node ${subject}.`, {
    hint: "castellan operation list, castellan status",
  });
}

function whyThen({ store, clock }: CoordinatorPorts, { node }: AgentView, at: number): WhyAnswer {
  if (at > clock.now()) {
    throw new Failure("USAGE", `${time(at)} is in the future: it is ${time(clock.now())} now.`, {
      hint: `castellan why ${node}`,
    });
  }
  const decisions = store.decisions(node);
  const moment = guardMoment(node, decisions, at);
  if (moment !== null) return { subject: node, lines: [], events: [], alerts: [], moment };
  const oldest = decisions.at(-1);
  throw new Failure(
    "NOT_FOUND",
    oldest === undefined
      ? `No decision of ${node}'s guard is kept: it has found nothing that is told here.`
      : `No decision of ${node}'s guard from before ${time(at)} is kept; the oldest is of ${time(oldest.at)}.`,
    { hint: `castellan why ${node} shows how it is now` },
  );
}

function whyOperation({ store }: CoordinatorPorts, operation: OperationRecord): WhyAnswer {
  const events = store.eventsAbout({ operationId: operation.id }, 500);
  const notPassed = operation.plan.checks.filter((check) => check.status !== "pass");
  return {
    subject: operation.id,
    lines: [
      `${operation.kind} of ${operation.subject} in ${operation.cluster}: ${operation.state}`,
      `asked for by ${operation.requestedBy} at ${time(operation.requestedAt)}; on failure: ${operation.onFailure}`,
      `planned from the declaration with sha256 ${operation.plan.declarationHash.slice(0, 12)}; ${operation.plan.checks.length} checks, ${notPassed.length} of them not passed`,
      ...notPassed.map((check) => `check ${check.id}${check.node === null ? "" : ` on ${check.node}`}: ${check.status}: found ${check.found}, wanted ${check.wanted}`), // prettier-ignore
      ...operation.plan.notes.map((note) => `note: ${note}`),
      ...operation.plan.steps.flatMap((step, index) => {
        const record = operation.steps[index];
        if (record === undefined || record.attempt === 0) return [];
        const line = `${step.id}: ${record.state} after ${record.attempt} attempt${record.attempt === 1 ? "" : "s"}`;
        return record.failure === null
          ? [line]
          : [line, `  ${record.failure.code}: ${record.failure.message}`, ...record.failure.evidence.map((e) => `  | ${e}`)]; // prettier-ignore
      }),
      ...events.flatMap((event) => decisionLines(event)),
      ...(operation.failure === null
        ? []
        : [
            `${operation.failure.code}: ${operation.failure.message}`,
            ...operation.failure.evidence.map((e) => `  | ${e}`),
            ...(operation.failure.hint === null ? [] : [`next: ${operation.failure.hint}`]),
          ]),
    ],
    events,
    alerts: store.alerts().filter((alert) => alert.node === operation.subject),
    moment: null,
  };
}

/** A decision is stored with its rule; the sentence comes from the table. */
function decisionLines({ kind, at, data }: EventRecord): readonly string[] {
  if (typeof data !== "object" || data === null) return [];
  if (kind === "step:failed" && "decision" in data && "step" in data) {
    const rule = retryRules.find((r) => r.id === data.decision);
    return [
      `${time(at)} ${String(data.step)}: ${String(data.decision)}, because ${rule?.because ?? "?"}`,
    ];
  }
  if (kind === "operation:moved" && "from" in data && "to" in data && "event" in data) {
    return [`${time(at)} ${String(data.from)} → ${String(data.to)} (${String(data.event)})`];
  }
  return [];
}

function whyNode({ store, clock }: CoordinatorPorts, view: AgentView): WhyAnswer {
  const { facts } = view;
  const alerts = store.alerts().filter((alert) => alert.node === view.node);
  return {
    subject: view.node,
    lines: [
      view.connected
        ? `its agent (${view.agentVersion ?? "?"}) is connected; its clock differs by ${view.clockOffsetMs ?? "?"} ms`
        : `its agent is away${view.lastSeenAt === null ? "" : ` since ${time(view.lastSeenAt)} (${Math.round((clock.now() - view.lastSeenAt) / 1000)} s)`}`,
      ...(facts === null
        ? ["nothing is known of it since this coordinator started"]
        : [
            `${view.connected ? "database" : "database, as last seen"}: ${facts.database.status}${facts.database.role === null ? "" : `, ${facts.database.role}`}${facts.database.timeline === null ? "" : `, timeline ${facts.database.timeline}`}, position ${facts.database.position ?? "?"}`,
            ...(facts.database.problem === null ? [] : [`problem: ${facts.database.problem}`]),
            ...(facts.database.receiver === null
              ? []
              : [`receiver: ${facts.database.receiver.status}, slot ${facts.database.receiver.slot ?? "none"}`]), // prettier-ignore
            ...facts.database.replication.map((r) => `sends to ${r.applicationName} (${r.clientAddress ?? "local"}): ${r.state}, ${r.syncState}, replayed ${r.replayLsn ?? "?"}`), // prettier-ignore
            ...facts.database.slots.map((s) => `slot ${s.name}: ${s.active ? "active" : "inactive"}, keeps ${s.retainedBytes ?? 0} bytes of WAL`), // prettier-ignore
            ...facts.agent.droppedSlots.map((s) => `slot ${s.name} for ${s.forNode}: dropped at ${time(s.droppedAt)} by rule ${s.rule}: ${s.reason}`), // prettier-ignore
            ...(facts.pool === null
              ? []
              : [`pool: ${facts.pool.status}${facts.pool.isLeader === true ? ", leader" : ""}`, ...facts.pool.rows.map((row) => `  row ${row.id} ${row.hostname}:${row.port}: ${row.status}, ${row.role}`)]), // prettier-ignore
            ...facts.guard.findings.map((f) => `guard ${f.rule} (${f.severity}) since ${time(f.since)}, because ${f.because}: ${f.evidence}; would ${f.would.join(", ") || "only tell"}`), // prettier-ignore
          ]),
      ...alerts
        .filter((alert) => alert.state !== "resolved")
        .map((a) => `alert ${a.id} (${a.severity}) since ${time(a.firstSeenAt)}: ${a.summary}`),
    ],
    events: store.eventsAbout({ node: view.node }, 50),
    alerts,
    moment: guardMoment(view.node, store.decisions(view.node), clock.now()),
  };
}

function time(at: number): string {
  return new Date(at).toISOString();
}
