import type { GuardFinding } from "#shared/domain/facts.ts";
import type { GuardStep, NearMiss, RuleClass } from "#shared/domain/guard.ts";
import type { GuardMemory, GuardView } from "../view.ts";

export type Rule = {
  /** Stored and printed: rename with care. */
  readonly id: string;
  /** Read as "… because …" in alerts and in `castellan why`. */
  readonly because: string;
  readonly severity: GuardFinding["severity"];
  /** Looks in a row that must agree before it is a finding, and before it is cleared: no flapping. */
  readonly looks: number;
  /** What was seen, where the rule applies; null where it doesn't. */
  readonly when: (view: GuardView, memory: GuardMemory, now: number) => string | null;
  /** What its steps touch. */
  readonly class: RuleClass;
  /** What the guard does in charge; a row without steps only tells. */
  readonly steps?: (view: GuardView, memory: GuardMemory) => readonly GuardStep[];
  /**
   * Of rows whose steps need one: who else sees what this row rests on, in words; null while nobody does, and then the
   * steps wait.
   */
  readonly witness?: (view: GuardView, memory: GuardMemory) => string | null;
  /**
   * Its steps are taken back by another rule's as soon as what they rest on goes: it acts once less than its limit, so
   * that the other always can.
   */
  readonly givesWay?: boolean;
  /** Others are promoted because it acts in time: what only spaces or sorts the guard's acts does not hold it back. */
  readonly isPromised?: boolean;
  /** What a person does, or has to know. */
  readonly next: string;
  /** What is missing where it nearly applies, for `castellan why`; null where it is far from it. */
  readonly nearly?: (view: GuardView, memory: GuardMemory) => Omit<NearMiss, "rule"> | null;
};
