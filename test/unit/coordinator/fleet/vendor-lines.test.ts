import { expect, test } from "vitest";
import { vendorLines } from "#coordinator/fleet/vendor-lines.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import { productOf } from "#shared/products/product.ts";

const { vendor } = productOf("kingbase-v8r3");
const rewind = "*/1 * * * * kingbase  /home/kingbase/cluster/ESHA/db/bin/network_rewind.sh\n";

function cronFile(maskedText: string | null, path = "/etc/cron.d/KINGBASECRON"): FileFacts {
  return {
    path,
    format: "cron",
    state: maskedText === null ? "unreadable" : "present",
    hash: null,
    owner: null,
    mode: null,
    modifiedAt: null,
    maskedText,
  };
}

const states = (files: readonly FileFacts[]) =>
  vendorLines(files, vendor).map(({ state, places }) => [state, ...places].join(" "));

test("each script has one state over all cron files of the host, with its places", () => {
  const here = "/etc/cron.d/KINGBASECRON";
  expect(states([cronFile(rewind)])).toEqual([`active ${here}:1`, "missing"]);
  expect(states([cronFile(`# ours\n##${rewind}`)])).toEqual([`commented ${here}:2`, "missing"]);
  const crontab = cronFile(rewind, "/etc/crontab");
  expect(states([cronFile(`#${rewind}`), crontab])[0]).toBe(`twice ${here}:1 /etc/crontab:1`);
  expect(states([cronFile(null)])).toEqual(["unseen", "unseen"]);
  expect(states([])).toEqual(["missing", "missing"]);
  expect(vendorLines([cronFile(rewind)], productOf("postgresql").vendor)).toEqual([]);
});
