import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./project-root.ts";

/** Node's options for the agent, taken from its unit: what is tested and measured is what is installed. */
export function agentFlags(): readonly string[] {
  const words = /^ExecStart=\S+ (.*) run /m.exec(unit())?.[1]?.split(" ");
  if (words === undefined) throw new Error("the agent's unit has no ExecStart=… run");
  return words.filter((word) => word.startsWith("--"));
}

/** The environment that its unit gives it. */
export function agentEnvironment(): Readonly<Record<string, string>> {
  const settings = unit().matchAll(/^Environment=(\w+)=(.*)$/gm);
  return Object.fromEntries([...settings].map(([, name, value]) => [name, value]));
}

function unit(): string {
  return readFileSync(join(projectRoot(), "systemd/castellan-agent.service"), "utf8");
}
