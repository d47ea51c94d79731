import { expect, test } from "vitest";
import type { StepContext } from "#agent/ports.ts";
import { assertAsWritten, keptEdits, type FileState } from "#agent/steps/edited-node-files.ts";
import { productOf } from "#shared/products/product.ts";

const args = { stagingDirectory: "/data.castellan-copy" };

function contextOf(version: string): StepContext {
  // The version file is all that is read here.
  return {
    product: productOf("postgresql"),
    files: { read: async () => ({ text: version }) },
  } as unknown as StepContext;
}

function file(name: string, state: FileState["state"]): FileState {
  const at = `/data.castellan-copy/${name}`;
  return { path: `/data/${name}`, at, isStaged: true, state };
}

test("an edit that a person made after our write is kept", async () => {
  const states = [file("postgresql.conf", "edited"), file("pg_hba.conf", "as-written")];
  expect(await keptEdits(states, args, contextOf("10"))).toEqual([states[0]]);
});

test("what was removed is written anew, unless that would undo an edit", async () => {
  const missing = file("postgresql.conf", "missing");
  expect(await keptEdits([missing], args, contextOf("15"))).toBeNull();
  await expect(
    keptEdits([missing, file("pg_hba.conf", "edited")], args, contextOf("15")),
  ).rejects.toMatchObject({
    code: "OPERATION_CONFLICT",
    retryable: false,
    evidence: [
      "/data.castellan-copy/pg_hba.conf: edited",
      "/data.castellan-copy/postgresql.conf: missing",
    ],
    hint: expect.stringContaining("Put back /data.castellan-copy/postgresql.conf"),
  });
});

test("an edited recovery.conf is not started with: it could open as a primary", async () => {
  const states = [file("recovery.conf", "edited")];
  await expect(keptEdits(states, args, contextOf("10"))).rejects.toMatchObject({
    code: "OPERATION_CONFLICT",
    hint: expect.stringContaining("Remove it to have it written anew"),
  });
  const placed = states.map((state) => ({ ...state, isStaged: false }));
  expect(await keptEdits(placed, args, contextOf("10"))).toEqual(placed);
  expect(await keptEdits([file("standby.signal", "edited")], args, contextOf("15"))).toHaveLength(
    1,
  );
});

test("bytes that nobody wrote are no edit", async () => {
  const states = [file("pg_hba.conf", "damaged"), file("postgresql.conf", "edited")];
  await expect(keptEdits(states, args, contextOf("15"))).rejects.toMatchObject({
    code: "VERIFICATION_FAILED",
    hint: expect.stringContaining("remove the files"),
  });
  expect(() => assertAsWritten([])).not.toThrow();
});
