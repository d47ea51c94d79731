import { expect, test } from "vitest";
import { acceptEvidence } from "#coordinator/hub/baselines.ts";

const path = "/data/pg_hba.conf";

test("our own edit of an accepted file is accepted, and so is what takes it back", () => {
  const { accept, baseline } = createScene("accepted");
  accept({ path, from: "accepted", hash: "with ours" });
  expect(baseline()).toBe("with ours");
  accept({ path, from: "with ours", hash: "accepted" });
  expect(baseline()).toBe("accepted");
});

test("an edit on top of somebody's own does not accept his along with ours", () => {
  const { accept, baseline } = createScene("accepted");
  expect(accept({ path, from: "edited by hand", hash: "by hand and ours" })).toBe(false);
  expect(baseline()).toBe("accepted");
  accept({ path, from: "by hand and ours", hash: "edited by hand" });
  expect(baseline()).toBe("accepted");
});

test("a file of which it is not said what it was made from is accepted, as is one seen for the first time", () => {
  const { accept, baseline } = createScene("accepted");
  accept({ path, hash: "made whole" });
  expect(baseline()).toBe("made whole");
  const first = createScene(null);
  first.accept({ path, from: "never seen", hash: "ours" });
  expect(first.baseline()).toBe("ours");
});

function createScene(accepted: string | null) {
  let baseline = accepted;
  const ports = {
    store: {
      baselines: () =>
        baseline === null
          ? []
          : [
              {
                node: "srv127",
                path,
                hash: baseline,
                mode: null,
                owner: null,
                maskedText: null,
                acceptedAt: 0,
                acceptedBy: "first sight",
              },
            ],
      setBaseline: ({ hash }: { readonly hash: string | null }) => {
        baseline = hash;
      },
    },
    events: { emit: () => undefined, on: () => undefined },
  };
  const about = { operationId: "op-abcdefgh", stepId: "open-hba/srv127" };
  return {
    baseline: () => baseline,
    accept: (file: { path: string; hash: string; from?: string }) =>
      acceptEvidence(ports, "srv127", null, { files: [file] }, about, 0),
  };
}
