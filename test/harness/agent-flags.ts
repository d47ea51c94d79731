import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./project-root.ts";

/** Node's options for the agent, taken from its unit: what is tested and measured is what is installed. */
export function agentFlags(): readonly string[] {
  const unit = readFileSync(join(projectRoot(), "systemd/castellan-agent.service"), "utf8");
  const words = /^ExecStart=\S+ (.*) run /m.exec(unit)?.[1]?.split(" ");
  if (words === undefined) throw new Error("the agent's unit has no ExecStart=… run");
  return words.filter((word) => word.startsWith("--"));
}
