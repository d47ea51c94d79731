import type { Command } from "commander";
import type { SlotsAnswer } from "../../api/contract.ts";
import { printResult, type CliContext } from "../context.ts";
import { withJson } from "../options.ts";
import { renderSlots } from "../render/slots.ts";

export function addSlotCommands(program: Command, context: CliContext): void {
  const slot = program.command("slot").description("replication slots and the WAL that they hold");
  withJson(
    slot
      .command("list")
      .description(
        "every slot on every node: whose it is, what for, what it holds back; WAL disks and archivers",
      )
      .argument("[cluster]", "one cluster only"),
  ).action(async (cluster: string | undefined, options: { json?: boolean }) => {
    const path =
      cluster === undefined ? "/slots" : `/clusters/${encodeURIComponent(cluster)}/slots`;
    const answer = await context.client().get<SlotsAnswer>(path);
    printResult(context, options.json, answer, renderSlots(answer));
  });
}
