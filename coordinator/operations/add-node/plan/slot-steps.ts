import type { PlanStep } from "../../plan.ts";
import { walBudgetOn } from "../forecast.ts";
import { printBytes } from "../print-units.ts";
import type { KnownNode } from "../situation.ts";
import { type PlanContext, samePrimary, stillStandby } from "./common.ts";

/**
 * The new node's slot on every existing node, before a byte is copied. Only the upstream's reserves WAL: a slot on a
 * node that is not streamed from must hold nothing back.
 */
export function slotSteps(context: PlanContext, walBudgetBytes: number): readonly PlanStep[] {
  const { situation } = context;
  const { existing, newcomer, product } = situation;
  const { name: forNode, slot } = newcomer.declared;
  const version = context.primary.facts?.database.versionNumber ?? 0;
  const sql = product.dialect(version).createSlot;
  const others = existing.filter((node) => node !== context.primary);
  return [
    {
      id: `create-slot/${context.primary.declared.name}`,
      phase: "slots",
      title: `Make slot ${slot} on the primary ${context.primary.declared.name} and reserve WAL from now on`,
      preview: [
        printSql(sql, slot, true),
        `may hold back ${printBytes(walBudgetBytes)} of WAL, for ever; beyond it the copy is given up`,
      ],
      on: context.primary.declared.name,
      kind: "create-slot",
      args: { slot, forNode, reserve: true, walBudgetBytes },
      preconditions: samePrimary(context),
    },
    ...others.map((node): PlanStep => {
      const { name } = node.declared;
      return {
        id: `create-slot/${name}`,
        phase: "slots",
        title: `Make slot ${slot} on ${name}, holding nothing back, for the day it becomes primary`,
        preview: [printSql(sql, slot, false), printSpareBudget(walBudgetOn(situation, node))],
        on: name,
        kind: "create-slot",
        args: {
          slot,
          forNode,
          reserve: false,
          walBudgetBytes: walBudgetOn(situation, node),
        },
        preconditions: stillStandby(context),
      };
    }),
  ];
}

/** A copy from a standby went through that node's slot, which has held WAL back since: made anew, it holds none. */
export function slotAfterCopyStep(context: PlanContext): readonly PlanStep[] {
  const { source, primary, situation } = context;
  if (source === primary) return [];
  const { name: forNode, slot } = situation.newcomer.declared;
  const { name } = source.declared;
  const version = source.facts?.database.versionNumber ?? 0;
  const { createSlot, dropSlot } = situation.product.dialect(version);
  return [
    {
      id: `create-slot/${name}/after-copy`,
      phase: "base-backup",
      title: `Make slot ${slot} on ${name} anew, so that it holds nothing back after the copy`,
      preview: [dropSlot.replace("$1", `'${slot}'`), printSql(createSlot, slot, false)],
      on: name,
      kind: "create-slot",
      args: { slot, forNode, reserve: false, walBudgetBytes: walBudgetOn(situation, source) },
      preconditions: stillStandby(context),
    },
  ];
}

/** Slots aren't copied: without these nobody could stream from the new node after a promotion. */
export function slotsOnNewcomer(context: PlanContext): readonly PlanStep[] {
  const { existing, newcomer, product } = context.situation;
  const version = context.primary.facts?.database.versionNumber ?? 0;
  const sql = product.dialect(version).createSlot;
  const on = newcomer.declared.name;
  const walBudgetBytes = walBudgetOn(context.situation, newcomer);
  return existing.map(({ declared }: KnownNode): PlanStep => ({
    id: `create-slot/${on}/${declared.slot}`,
    phase: "start",
    title: `Make slot ${declared.slot} on ${on}, holding nothing back, so that ${declared.name} can follow it`,
    preview: [printSql(sql, declared.slot, false)],
    on,
    kind: "create-slot",
    args: { slot: declared.slot, forNode: declared.name, reserve: false, walBudgetBytes },
    preconditions: stillStandby(context),
  }));
}

function printSpareBudget(walBudgetBytes: number): string {
  return `may hold back ${printBytes(walBudgetBytes)} of WAL from the day that it is streamed from`;
}

function printSql(sql: string, slot: string, reserve: boolean): string {
  return sql.replace("$1", `'${slot}'`).replace("$2", String(reserve)).replaceAll(/\s+/g, " ");
}
