import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openClusterView } from "#agent/guard/cluster-view-file.ts";
import { createLog } from "#shared/log.ts";
import { threeNodes } from "#test/unit/agent/decide/view-builder.ts";

const log = createLog("test", "silent");

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "castellan-view-"));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

function open(stateDirectory: string, node = "srv127", machineIdFile = "/etc/machine-id") {
  return openClusterView({ stateDirectory, node, machineIdFile, log });
}

test("what a coordinator told is known after a restart, and is written only when it is another", async () => {
  const state = await folder();
  const first = await open(state);
  expect(first.current()).toBe(null);
  await first.take("ESHA", threeNodes());
  expect((await open(state)).current()).toEqual(threeNodes());
  const file = join(state, "cluster-view.json");
  await writeFile(file, "untouched");
  await first.take("ESHA", threeNodes({ at: 99 }));
  expect(await readFile(file, "utf8")).toBe("untouched");
  await first.take("ESHA", threeNodes({ trustAddresses: [] }));
  expect((await open(state)).current()?.trustAddresses).toEqual([]);
});

test("a damaged file, one of another node and one of another host tell nothing, and the next word replaces them", async () => {
  const state = await folder();
  const file = join(state, "cluster-view.json");
  const machineIdFile = join(state, "machine-id");
  await writeFile(machineIdFile, "another host");
  await (await open(state)).take("ESHA", threeNodes());
  expect((await open(state, "srv129")).current()).toBe(null);
  expect((await open(state, "srv127", machineIdFile)).current()).toBe(null);
  for (const damaged of ["", "{", '{"node":"srv127"}', "\0".repeat(100)]) {
    await writeFile(file, damaged);
    const view = await open(state);
    expect(view.current()).toBe(null);
    expect(view.trouble()).toBe(null);
    await view.take("ESHA", threeNodes());
    expect((await open(state)).current()).toEqual(threeNodes());
  }
});

test("a coordinator that declares this node in another cluster is not believed, and that is told until it is right again", async () => {
  const view = await open(await folder());
  await view.take("ESHA", threeNodes());
  await view.take("OTHER", threeNodes({ cluster: "OTHER" }));
  expect(view.current()?.cluster).toBe("ESHA");
  expect(view.trouble()).toMatch(/declares this node in cluster OTHER; kept is ESHA/);
  await view.take("ESHA", threeNodes());
  expect(view.trouble()).toBe(null);
});

test("a cluster that does not declare this node any more is forgotten, and another one's word does not count", async () => {
  const state = await folder();
  const view = await open(state);
  await view.take("ESHA", threeNodes());
  await view.take("OTHER", null);
  expect(view.current()?.cluster).toBe("ESHA");
  await view.take("ESHA", null);
  expect(view.current()).toBe(null);
  await view.take("OTHER", threeNodes({ cluster: "OTHER" }));
  expect((await open(state)).current()?.cluster).toBe("OTHER");
});
