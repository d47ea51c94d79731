import type { FileFacts } from "#shared/domain/facts.ts";
import { createScriptLook } from "../adapters/vendor-scripts.ts";
import { activeVendorLines } from "../decide/vendor-lines.ts";
import type { Ports } from "../ports.ts";

/** What the vendor has on this host that acts by itself: a line that cron runs, or a script that runs now. */
export function createVendorLook({
  clock,
  product,
}: Pick<Ports, "clock" | "product">): (files: readonly FileFacts[]) => string | null {
  const runningScripts = createScriptLook(clock);
  return (files) => {
    if (product.vendor === null) return null;
    const [line] = activeVendorLines(files);
    if (line !== undefined) return line;
    const [running] = runningScripts();
    return running === undefined ? null : `${running.script} runs (pid ${running.pid})`;
  };
}
